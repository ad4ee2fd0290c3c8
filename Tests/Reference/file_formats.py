"""Files written by NumPy, SciPy and safetensors for the tests of FileFormats, and a check of the files that Apus writes.

file_formats.py write        writes Tests/Reference/Files (needs numpy, scipy, safetensors, ml_dtypes)
file_formats.py check DIR    reads what the tests wrote into DIR and fails on any difference (needs numpy and scipy;
                             safetensors files are read by the safetensors package if it is there, else by hand)
"""

import json
import os
import struct
import sys

import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Files")
TYPES = ["f4", "f8", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"]


def pattern(code, shape):
    """Small numbers that every type holds exactly, the same in the Swift tests."""
    v = (np.arange(int(np.prod(shape))) * 37 + 11) % 101 - 50
    kind = np.dtype(code).kind
    v = v % 2 == 0 if kind == "b" else v + 50 if kind == "u" else v / 8 if kind == "f" else v
    return v.astype(code).reshape(shape)


def write():
    import ml_dtypes
    import scipy.io
    import scipy.sparse
    from safetensors import TensorSpec, serialize_file

    os.makedirs(HERE, exist_ok=True)
    path = lambda name: os.path.join(HERE, name)
    arrays = {code: pattern(code, (2, 3)) for code in TYPES}
    np.savez(path("types.npz"), **arrays)
    np.savez_compressed(path("types_deflated.npz"), large=pattern("f8", (100, 50)), **arrays)
    np.save(path("big_endian.npy"), pattern(">f8", (3, 2)))
    np.save(path("big_endian_integers.npy"), pattern(">i2", (5,)))
    np.save(path("fortran.npy"), np.asfortranarray(pattern("f4", (3, 4, 2))))
    np.save(path("half.npy"), np.array([0.5, -2.0, 65504.0, 6e-8, np.inf, -np.inf, np.nan, -0.0], "f2"))
    np.save(path("scalar.npy"), np.float64(2.5))
    np.save(path("empty.npy"), np.zeros((0, 3), "f4"))
    for version in [2, 3]:
        with open(path(f"version{version}.npy"), "wb") as file:
            np.lib.format.write_array(file, pattern("i4", (2, 2)), version=(version, 0))
    np.save(path("complex.npy"), np.ones(2, complex))
    np.save(path("text.npy"), np.array(["a", "bc"]))
    np.save(path("objects.npy"), np.array([{}, None], object), allow_pickle=True)
    np.save(path("records.npy"), np.zeros(2, [("a", "f4"), ("b", "i2")]))
    np.save(path("dates.npy"), np.array(["2020-01-01"], "M8[D]"))
    np.savetxt(path("savetxt.txt"), pattern("f8", (4, 3)) / 3, header="one two three")

    symmetric = scipy.sparse.coo_array(np.array([[2.0, 0.0, -1.5], [0.0, 0.0, 1 / 3], [-1.5, 1 / 3, 4.0]]))
    scipy.io.mmwrite(path("symmetric.mtx"), symmetric)
    scipy.io.mmwrite(path("array.mtx"), pattern("f8", (3, 2)))
    scipy.io.mmwrite(path("complex.mtx"), np.ones((2, 2), complex))

    specs, keep = {}, []

    def add(name, array, dtype=None):
        array = np.ascontiguousarray(array)
        keep.append(array)
        specs[name] = TensorSpec(
            dtype=dtype or array.dtype.name, shape=list(array.shape), data_ptr=array.ctypes.data, data_len=array.nbytes)

    for code in TYPES:
        add(code, pattern(code, (2, 3)))
    add("complex64", np.ones(2, "c8"))
    add("float4", np.zeros(2, "u1"), "float4_e2m1fn_x2")
    halves = np.concatenate([
        np.array([0, 0x8000, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0xFC00, 0x7E00, 0x7F80, 0xFF80, 0x7FC0, 0x7F7F], "u2"),
        np.random.default_rng(1).integers(0, 1 << 16, 51).astype("u2")])
    bytes_ = np.arange(256, dtype="u1")
    # Numbers to round: all midpoints and their neighbours are among the multiples of 2^-k below.
    rng = np.random.default_rng(2)
    source = np.concatenate([
        np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 448, 464, 465, 480, 57344, 61440, 61441, 1e9], "f4"),
        (rng.integers(-256, 256, 100) * 2.0 ** rng.integers(-20, 12, 100)).astype("f4"),
        (rng.standard_normal(50) * 10.0 ** rng.integers(-6, 6, 50)).astype("f4")])
    add("rounding.source", source)
    for name, kind, raw in [
        ("float16", np.float16, halves), ("bfloat16", ml_dtypes.bfloat16, halves),
        ("float8_e4m3fn", ml_dtypes.float8_e4m3fn, bytes_), ("float8_e5m2", ml_dtypes.float8_e5m2, bytes_),
        ("float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz, bytes_), ("float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz, bytes_),
        ("float8_e8m0fnu", ml_dtypes.float8_e8m0fnu, bytes_),
    ]:
        add(name, raw, name)
        add(name + ".expected", raw.view(kind).astype("f4"))
        if name != "float8_e8m0fnu":
            with np.errstate(over="ignore"):
                add("rounding." + name, source.astype(kind).view(raw.dtype), name)
    serialize_file(specs, path("types.safetensors"), metadata={"format": "np", "größe": "a \"quoted\"\nline"})


def read_safetensors(path):
    """Names to (type, shape, bytes), by the format's description."""
    try:
        import safetensors

        with open(path, "rb") as file:
            return {n: (t["dtype"], list(t["shape"]), bytes(t["data"])) for n, t in safetensors.deserialize(file.read())}
    except ImportError:
        data = open(path, "rb").read()
        (length,) = struct.unpack("<Q", data[:8])
        assert length % 8 == 0
        result, end = {}, 0
        for name, t in json.loads(data[8 : 8 + length]).items():
            if name != "__metadata__":
                start, stop = t["data_offsets"]
                assert start == end
                end = stop
                result[name] = (t["dtype"], t["shape"], data[8 + length + start : 8 + length + stop])
        assert end == len(data) - 8 - length
        return result


def check(folder):
    import scipy.io

    path = lambda name: os.path.join(folder, name)

    def same(name, got, wanted):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape, (name, got.dtype, got.shape, wanted.dtype)
        assert got.tobytes() == wanted.tobytes(), (name, got, wanted)

    for code in TYPES:
        same(code, np.load(path(f"{code}.npy")), pattern(code, (2, 3, 4)))
    same("f2", np.load(path("f2.npy")), pattern("f2", (2, 3, 4)))
    same("scalar", np.load(path("scalar.npy")), pattern("f8", ()))
    same("empty", np.load(path("empty.npy")), pattern("f4", (0, 3)))
    for archive in ["stored.npz", "deflated.npz"]:
        arrays = np.load(path(archive))
        assert arrays.zip.testzip() is None
        assert sorted(arrays.files) == sorted(TYPES + ["größe/1"]), arrays.files
        for code in TYPES:
            same(code, arrays[code], pattern(code, (2, 3, 4)))

    exact = np.load(path("exact.npy"))
    same("csv", np.loadtxt(path("exact.csv"), delimiter=",", skiprows=1), exact)
    same("tsv", np.loadtxt(path("exact.tsv")), exact)
    same("array.mtx", np.asarray(scipy.io.mmread(path("array.mtx"))), exact)
    same("coordinates.mtx", scipy.io.mmread(path("coordinates.mtx")).toarray(), exact)

    names = {"f4": "F32", "f8": "F64", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u8": "U64", "u4": "U32",
             "u2": "U16", "u1": "U8", "b1": "BOOL"}
    tensors = read_safetensors(path("all.safetensors"))
    assert sorted(tensors) == sorted(TYPES + ["F16", "BF16", "empty", "größe \"1\"\n"]), list(tensors)
    for code in TYPES:
        assert tensors[code] == (names[code], [2, 3, 4], pattern(code, (2, 3, 4)).tobytes()), code
    assert tensors["F16"] == ("F16", [2, 3, 4], pattern("f2", (2, 3, 4)).tobytes())
    upper = (pattern("f4", (2, 3, 4)).view("u4") >> 16).astype("u2")
    assert tensors["BF16"] == ("BF16", [2, 3, 4], upper.tobytes())
    assert tensors["empty"] == ("F32", [0, 3], b"")
    print("all files agree")


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        write()
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        sys.exit(__doc__)
