"""The main program of a worker process: receives requests from local mode, runs them, answers. Started by `pool`.

It ends at once when local mode is gone, in the middle of its work, so that nobody works without an owner.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
from typing import Any

from kinora.local.runtime import Runtime
from kinora.local.wire import receive_frame, send_frame


def main() -> None:
    """Arguments: the descriptor of the socket, the niceness."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    os.nice(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, requests), daemon=True).start()
    runtime = Runtime()
    send_frame(channel, b'{"ready": true}')
    while True:
        answer = runtime.invoke(requests.get())
        sys.stdout.flush()
        sys.stderr.flush()
        send_frame(channel, answer)


def _listen(channel: socket.socket, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    try:
        while True:
            requests.put(receive_frame(channel))
    except EOFError:
        os._exit(0)


if __name__ == "__main__":
    main()
