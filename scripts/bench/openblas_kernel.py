"""Prints the seconds of a matrix product by the BLAS of NumPy, or nothing where it is wrong. Run once per OPENBLAS_CORETYPE."""

import time

import numpy

a = numpy.random.default_rng(1).random((256, 512), dtype=numpy.float32)
b = a.T.copy()
if numpy.allclose(a @ b, a.astype(numpy.float64) @ b, rtol=1e-4):
    times = []
    for _ in range(30):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    print(min(times))
