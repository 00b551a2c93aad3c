"""Compares two pictures: exit 1 where a level differs by more than 1."""

import sys

import numpy
from PIL import Image

first, second = (numpy.asarray(Image.open(path).convert("RGB"), numpy.int16) for path in sys.argv[1:3])
if first.shape != second.shape:
    sys.exit(f"{sys.argv[1]} is {first.shape}, {sys.argv[2]} is {second.shape}")
difference = int(abs(first - second).max())
print(f"the largest difference is {difference}")
sys.exit(difference > 1)
