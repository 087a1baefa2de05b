# The workloads through Python's socket module. Like the scripts in Lua:
#   python3 bench/python.py about                     the version, and which workloads it can do
#   python3 bench/python.py tcp_pingpong 20000 PORT   does one; a server prints its port instead
import asyncio
import platform
import socket
import sys

MESSAGE = b"x" * 16
PIECE = b"x" * 65536
DATAGRAM = b"x" * 64
BATCH = 128  # datagrams, then it is the other side's turn


def connect(port):
    return socket.create_connection(("127.0.0.1", int(port)))


def ping(s, count):
    for _ in range(count):
        s.send(MESSAGE)
        s.recv(16)


def tcp_pingpong(count, port):
    ping(connect(port), count)


def unix_pingpong(count, path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    ping(s, count)


def recv(_, port):
    s = connect(port)
    while s.recv(65536):
        pass


def recvinto(_, port):
    s, buffer = connect(port), bytearray(65536)
    while s.recv_into(buffer):
        pass


def send(count, port):
    s = connect(port)
    for _ in range(count):
        s.sendall(PIECE)


def accept(count):
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    for _ in range(count):
        s, _ = server.accept()
        s.send(s.recv(16))
        s.close()


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    return s


def udp_send(count, port, udpport):
    control, s, to = connect(port), udp(), ("127.0.0.1", int(udpport))
    for _ in range(0, count, BATCH):
        control.recv(1)
        for _ in range(BATCH):
            s.sendto(DATAGRAM, to)
        control.send(b"x")


def udp_recv(count, port, udpport):
    control, s = connect(port), udp()
    s.sendto(b"x", ("127.0.0.1", int(udpport)))
    for _ in range(0, count, BATCH):
        control.recv(1)
        for _ in range(BATCH):
            s.recvfrom(65536)
        control.send(b"x")


def lines(count, port):
    n = 0
    for _ in connect(port).makefile("rb"):
        n += 1
    assert n == count


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


def echo(_):
    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


WORK = [tcp_pingpong, unix_pingpong, recv, recvinto, send, accept, udp_send, udp_recv, lines, echo]

if sys.argv[1] == "about":
    print("Python", platform.python_version())
    for f in WORK:
        print(f.__name__)
else:
    {f.__name__: f for f in WORK}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
