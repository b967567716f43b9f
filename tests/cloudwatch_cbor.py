"""Lets clients that speak CBOR to CloudWatch talk to moto, which does not: AWS's own Python library translates.

    cloudwatch_cbor.py MOTO_PORT

Listens on a free loopback port and prints it. A CloudWatch call in CBOR is decoded and made again by boto3; any other
request is handed on as it is. Ends when its standard input is closed.
"""

import http.client
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.exceptions import ClientError
from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

port = int(sys.argv[1])
client = boto3.client(
    "cloudwatch",
    endpoint_url=f"http://127.0.0.1:{port}",
    region_name="eu-west-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
model = client.meta.service_model
serializer, parser = RpcV2CBORSerializer(), RpcV2CBORParser()


def decoded(body):
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}


def encoded(value, shape):
    out = bytearray()
    if shape is None:
        out += b"\xa0"
    else:
        serializer._serialize_data_item(out, value, shape)
    return bytes(out)


def text(value):
    value = value.encode()
    return b"\x79" + len(value).to_bytes(2, "big") + value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/service/"):
            self.translate(self.path.rsplit("/", 1)[1], body)
        else:
            self.hand_on(body)

    def translate(self, operation, body):
        try:
            result = client._make_api_call(operation, decoded(body))
            result.pop("ResponseMetadata", None)
            answer = encoded(result, model.operation_model(operation).output_shape)
            self.answer(200, answer, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"})
        except ClientError as error:
            said = error.response["Error"]
            answer = b"\xa2" + text("__type") + text(said["Code"]) + text("message") + text(said["Message"])
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            self.answer(status, answer, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"})

    def hand_on(self, body):
        onward = http.client.HTTPConnection("127.0.0.1", port)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        onward.request("POST", self.path, body, headers)
        answer = onward.getresponse()
        self.answer(answer.status, answer.read(), {"Content-Type": answer.getheader("Content-Type", "text/xml")})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
