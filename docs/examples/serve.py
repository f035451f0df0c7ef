"""Serves a model that train.py wrote, with nothing but NumPy: serve.py MODEL PORT.

POST takes images of 28 x 28 bytes, one after the other, and answers a line for each: the class and its name.
"""
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np

NAMES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
LIMIT = 784 * 10000

model = np.load(sys.argv[1])
arrays = [model[f"arr_{i}"] for i in range(len(model.files))]
weights, biases = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, "POST images of 28 x 28 bytes\n")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length == 0 or length % 784 or length > LIMIT:
            return self.answer(400, "not a number of whole images\n")
        x = np.frombuffer(self.rfile.read(length), np.uint8).reshape(-1, 784).astype(np.float32) / 255
        for i, (w, b) in enumerate(zip(weights, biases)):
            x = x @ w + b
            if i < len(weights) - 1:
                x = np.maximum(x, 0)
        self.answer(200, "".join(f"{c} {NAMES[c]}\n" for c in x.argmax(1)))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
