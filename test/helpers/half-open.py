"""Handshakes that are never completed: COUNT sockets send a SYN to HOST PORT, and a filter throws away whatever the server answers, so it gets neither an ACK nor a RST.

Says "half-open" when all are under way, and ends, with all of them, when its stdin does.
"""
import ctypes
import socket
import struct
import sys

SO_ATTACH_FILTER = 26

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
# One instruction of classic BPF: BPF_RET | BPF_K, 0 bytes of the packet are kept.
program = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
filter_ = struct.pack('HL', 1, ctypes.addressof(program))
sockets = []
for _ in range(count):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)
    one.setblocking(False)
    one.connect_ex((host, port))
    sockets.append(one)
print('half-open', flush=True)
sys.stdin.read()
