"""The ML worker: imports TFX and TensorFlow once, then forks a child for each node.

    __main__     loads everything, listens
    server       one Unix socket, one forked session for each connection
    session      one node: a child in a process group of its own, its output streamed, its end reported
    fingerprint  tells when the code on disk is no longer the code in memory

What is said on the socket: `contract.worker_protocol`.
"""
