"""How Beam runs the nodes that are Beam pipelines: in the node's own process."""

BEAM_ARGS = [
    # The direct runner would first try Prism: a Go program that it fetches from the network.
    "--runner=FnApiRunner",
    # Without the name of an image, TFX packs itself into an sdist for each Beam node, in case its workers are
    # elsewhere. These run in the node's own process, and no image is used.
    "--sdk_container_image=none",
    # The graphs are TFX's own; checking their types anew in each run takes longer than some of them run.
    "--no_pipeline_type_check",
]
