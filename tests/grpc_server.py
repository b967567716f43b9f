"""A gRPC server with the standard health service, for the tests of the `grpc` probe.

    grpc_server.py FLAG CERTIFICATE KEY

Listens on two free loopback ports, cleartext and TLS, and prints them. While the file FLAG exists, the server and
`shop.Checkout` are NOT_SERVING. Ends when its standard input is closed.
"""

import os
import sys
import threading
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

flag, certificate, key = sys.argv[1:4]
servicer = health.HealthServicer()
server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
with open(certificate, "rb") as c, open(key, "rb") as k:
    credentials = grpc.ssl_server_credentials([(k.read(), c.read())])
plain = server.add_insecure_port("127.0.0.1:0")
secure = server.add_secure_port("127.0.0.1:0", credentials)


def tell(status):
    for name in ("", "shop.Checkout"):
        servicer.set(name, status)


def follow():
    states = health_pb2.HealthCheckResponse
    told = None
    while True:
        status = states.NOT_SERVING if os.path.exists(flag) else states.SERVING
        if status != told:
            tell(status)
            told = status
        time.sleep(0.01)


tell(health_pb2.HealthCheckResponse.SERVING)
server.start()
threading.Thread(target=follow, daemon=True).start()
print(plain, secure, flush=True)
sys.stdin.read()
server.stop(None)
