"""The ML worker: imports TFX and TensorFlow once, then forks a child for each node.

    __main__     loads everything, listens
    server       one Unix socket, one forked session for each connection
    session      one node: a child in a process group of its own, its output streamed, its end reported
    fingerprint  tells when the code on disk is no longer the code in memory

One request, `{"pipeline": ..., "run_id": ..., "node": ...}` on a line; answers are JSON lines: first
`{"accepted": true}` or `{"refused": "why"}`, then `{"line": "..."}` for each line of the node's output, last
`{"exit_code": 0}`. Closing the connection stops the node.
"""
