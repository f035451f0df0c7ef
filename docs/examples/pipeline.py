"""Summarises Fashion-MNIST: pipeline.py DATA OUT. Writes counts.csv and each class's mean image (PGM)."""
import gzip
import os
import sys

import numpy as np

folder, out = sys.argv[1], sys.argv[2]
os.makedirs(out, exist_ok=True)
with gzip.open(os.path.join(folder, "train-images-idx3-ubyte.gz")) as file:
    images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
with gzip.open(os.path.join(folder, "train-labels-idx1-ubyte.gz")) as file:
    labels = np.frombuffer(file.read(), np.uint8, offset=8)
with open(os.path.join(out, "counts.csv"), "w") as table:
    table.write("class,images,mean brightness\n")
    for c in range(10):
        own = images[labels == c]
        table.write(f"{c},{len(own)},{own.mean():.4f}\n")
        with open(os.path.join(out, f"mean-{c}.pgm"), "wb") as picture:
            picture.write(b"P5 28 28 255\n" + own.mean(0).round().astype(np.uint8).tobytes())
