"""Machines in QEMU and the gateway on the host, each with a time limit for everything that is waited for."""

import collections
import pathlib
import queue
import re
import socket
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
LIMIT = 60  # seconds, for whatever is waited for

Board = collections.namedtuple("Board", "name target machine")
BOARDS = {
    "cortex-m4": Board("cortex-m4", "thumbv7em-none-eabihf", "mps2-an386"),
    "cortex-m0": Board("cortex-m0", "thumbv6m-none-eabi", "mps2-an385"),
}

running = []


class Failed(Exception):
    """Something was not as it should be."""


def say(text):
    print(text, flush=True)


def start(command, **options):
    process = subprocess.Popen([str(word) for word in command], **options)
    running.append(process)
    return process


def end(process):
    """Ends it if it has not ended by itself."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(15)
    if process in running:
        running.remove(process)


def cleanup():
    for process in list(running):
        end(process)


def free_address():
    """An address of the loopback interface that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % listener.getsockname()[1]


class Tap:
    """A line that is recorded: whoever connects to it is connected on to `target`."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.to, self.back = bytearray(), bytearray()
        threading.Thread(target=self.carry, daemon=True).start()

    def carry(self):
        near, _ = self.listener.accept()
        far = socket.create_connection(self.target.split(":"), LIMIT)
        threading.Thread(target=self.copy, args=(far, near, self.back), daemon=True).start()
        self.copy(near, far, self.to)

    @staticmethod
    def copy(source, sink, record):
        try:
            while piece := source.recv(4096):
                record += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one of the two was unplugged


class Lines:
    """The lines of a stream as they come."""

    def __init__(self, stream):
        self.seen, self.ended = [], False
        self.coming = queue.Queue()
        threading.Thread(target=self.read, args=(stream,), daemon=True).start()

    def read(self, stream):
        for line in stream:
            self.coming.put(line.decode(errors="replace").rstrip("\n"))
        self.coming.put(None)

    def next(self, limit=LIMIT):
        """The next line; None after the last one."""
        if self.ended:
            return None
        try:
            line = self.coming.get(timeout=limit)
        except queue.Empty:
            raise Failed(f"nothing was said for {limit} s") from None
        if line is None:
            self.ended = True
        else:
            self.seen.append(line)
        return line


class Gateway:
    """The gateway of examples/gateway with its sample upstream."""

    def __init__(self, scratch, address="127.0.0.1:0", *options):
        self.log = open(scratch / "gateway.log", "ab")
        self.process = start(
            [ROOT / "target/release/dynamic-key-gateway", "--demo", "--listen", address,
             "--identity", scratch / "identity.pem", "--log", "debug", *options],
            stdout=subprocess.PIPE, stderr=self.log,
        )
        line = Lines(self.process.stdout).next()
        ready = re.fullmatch(r"listening on http://(\S+) identity (\S{43})", line or "")
        if not ready:
            raise Failed(f"the gateway did not start: {line}")
        self.address, self.kid = ready.groups()

    def stop(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()


class Machine:
    """A board in QEMU that runs an image; its log is decoded as it comes and kept raw."""

    def __init__(self, board, image, serial, scratch, **settings):
        scratch = pathlib.Path(scratch)
        self.name, self.elf = image, HERE / "target" / board.target / "release" / image
        self.seed = scratch / f"{image}.seed"
        self.seed.write_bytes(open("/dev/urandom", "rb").read(32))
        self.raw = bytearray()
        self.complaints = open(scratch / f"{image}.stderr", "ab")
        words = [image, f"seed={self.seed}", *(f"{name}={value}" for name, value in settings.items())]
        arguments = "".join(f",arg={word}" for word in words)
        self.process = start(
            ["qemu-system-arm", "-machine", board.machine, "-nographic", "-monitor", "none", "-serial", serial,
             "-semihosting-config", f"enable=on,target=native{arguments}", "-kernel", self.elf],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.complaints,
        )
        self.decoder = start(["defmt-print", "-e", self.elf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.log = Lines(self.decoder.stdout)
        self.pump = threading.Thread(target=self.decode, daemon=True)
        self.pump.start()

    def decode(self):
        while piece := self.process.stdout.read1(4096):
            self.raw += piece
            self.decoder.stdin.write(piece)
            self.decoder.stdin.flush()
        self.decoder.stdin.close()

    def expect(self, pattern):
        """Waits for a line that has the pattern; an error of the firmware, or its end, is a failure unless it is that."""
        limit = time.monotonic() + LIMIT
        while (line := self.log.next(max(1, limit - time.monotonic()))) is not None:
            if found := re.search(pattern, line):
                say(f"   {self.name}: {line}")
                return found
            if line.startswith("ERROR") or time.monotonic() > limit:
                break
        raise Failed(f"{self.name} did not say: {pattern}; {self.told()}")

    def ends(self, code):
        """Waits for its end with this exit code."""
        self.drain()
        try:
            ended = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end") from None
        if ended != code:
            raise Failed(f"{self.name} ended with {ended}, not {code}; {self.told()}")

    def drain(self):
        """Reads the log to its end, after the machine's."""
        while self.log.next() is not None:
            pass

    def told(self):
        """The end of its log, and what QEMU said."""
        lines = [*self.log.seen[-40:], *pathlib.Path(self.complaints.name).read_text().splitlines()]
        return "\n   ".join(["it said:", *lines])

    def stop(self):
        """Pulls the plug."""
        end(self.process)
        self.pump.join(15)
        end(self.decoder)
        self.complaints.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
