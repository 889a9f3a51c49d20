#!/usr/bin/env python3
"""Makes the bad files under tests/bad, the good ones they are mutations of,
and tests/bad/list.  The files are committed; run this again only to change
them.  It gives the same bytes again (those of gzip, bzip2 and xz: if these
libraries do).

    tests/bad/make.py [DIRECTORY]     default: the directory of this script

Needs Python 3.8 and XXH3-128: the package xxhash, or the program xxhsum.

Every bad file is wrong in one way, where that can be done: the checksums of
an .apr are right after a change elsewhere, so are a stream's tar headers and
its CHECKSUMS.  Where the wrong number would be right modulo 2^64, the file is
right in everything else, so that only the overflow check can refuse it.

list has a line for each bad file: FORMAT/FILE, what is wrong, and a piece of
the message that the refusal must contain, with tabs between them.  Its third
column is kept when this script runs again and finds one there.
"""
import bz2
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import zipfile
import zlib

from make_zip import make_npz, make_torch

try:
    from xxhash import xxh3_128_hexdigest as xxh3
except ImportError:
    def xxh3(data):
        out = subprocess.run(['xxhsum', '-H2', '-'], input=data, check=True,
                             stdout=subprocess.PIPE).stdout
        return out.split()[0].decode()

M64 = 1 << 64
INV7 = (3 * M64 + 1) // 7         # times 7 it is 1 modulo 2^64; under 2^63
EXT = {'apr': '.apr', 'gguf': '.gguf', 'safetensors': '.safetensors',
       'stream': '.tar', 'torch': '.pt', 'npz': '.npz'}
GOOD = {}
BAD = {}        # 'apr/name.apr': (what is wrong, fragment, bytes)


def good(name, data):
    assert name not in GOOD
    GOOD[name] = data


def bad(path, why, fragment, data):
    fmt, name = path.split('/')
    if '.' not in name:
        path += EXT[fmt]
    assert path not in BAD, path
    assert '\t' not in why + fragment
    assert data not in GOOD.values(), path
    for other, (_, _, there) in BAD.items():
        assert data != there or not data, (path, other)
    BAD[path] = (why, fragment, data)


def f32(*v):
    return struct.pack('<%df' % len(v), *v)


def up(n, to):
    return (n + to - 1) // to * to


def compact(value):
    return json.dumps(value, separators=(',', ':')).encode()


def put(data, at, new):
    return data[:at] + new + data[at + len(new):]


def deep(n):
    return b'[' * n + b']' * n


A = f32(1, 2, 0.5, -0.5, 4, -2, 0.25, 8)        # a.weight, F32 [2, 4]
B = struct.pack('<3e', 1, -2, 0.5)              # b.weight, F16 [3]


# ------------------------------------------------------------------- .apr

F32, F16, I8, Q4K, APRQ4, APRQ8 = 0, 1, 6, 12, 128, 129
META = compact({'model_type': 'llama', 'name': 'bad', 'total_size': 38,
                'param_count': 11, 'architecture': 'llama'})


def entry(name, code, shape, off, size, ndim=None, nlen=None):
    name = name if isinstance(name, bytes) else name.encode()
    return (struct.pack('<H', len(name) if nlen is None else nlen) + name +
            struct.pack('<BB', code, len(shape) if ndim is None else ndim) +
            struct.pack('<%dQ' % len(shape), *shape) +
            struct.pack('<QQ', off, size))


EA = entry('a.weight', F32, [2, 4], 0, 32)
EB = entry('b.weight', F16, [3], 64, 6)
DATA = A + bytes(32) + B + bytes(58)


def apr(index=EA + EB, count=2, data=DATA, meta=META, magic=b'APR\0',
        version=b'\2\0', flags=0x400, moff=64, msize=None, ioff=None,
        doff=None, header_crc=None, footer=None, fill=None, aligned=True,
        behind=b''):
    """An .apr; fill is (place, byte): a byte to set before the footer."""
    to = 64 if aligned else 1
    msize = len(meta) if msize is None else msize
    body = meta + bytes(up(64 + len(meta), 64) - 64 - len(meta))
    real_ioff = 64 + len(body)
    body += index + bytes(up(real_ioff + len(index), to) -
                          real_ioff - len(index))
    real_doff = 64 + len(body)
    ioff = real_ioff if ioff is None else ioff
    doff = real_doff if doff is None else doff
    head = magic + version + struct.pack('<HIQIQQ', flags, count, moff, msize,
                                         ioff, doff)
    rest = bytes(20)
    crc = zlib.crc32(head + rest) if header_crc is None else header_crc
    out = head + struct.pack('<I', crc) + rest + body + data
    if fill:
        at, byte = fill(real_ioff, real_doff), b'\x41'
        assert out[at] == 0
        out = put(out, at, byte)
    crc = zlib.crc32(out) if footer is None else footer
    return out + struct.pack('<I', crc) + behind


def refoot(out):
    """The footer of an .apr made right again."""
    return out[:-4] + struct.pack('<I', zlib.crc32(out[:-4]))


TIED_META = compact({'model_type': 'llama', 'total_size': 0, 'param_count': 0,
                     'architecture': 'llama', 'tied_embeddings': True})
EMBED = 'model.embed_tokens.weight'


def tied(meta=TIED_META, embed=EMBED, shape=(2, 4), extra=b''):
    """An .apr with a ghost, rows padded to whole blocks, and native types."""
    k = bytes(range(144)) * 4
    parts = [(embed, F32, list(shape), f32(*range(shape[0] * shape[1]))),
             ('model.k.weight', Q4K, [2, 300], k),
             ('model.q4.weight', APRQ4, [2, 8], B[:2] + bytes(range(16))),
             ('model.q8.weight', APRQ8, [2, 3], f32(0.5) + b'\1\2\3\4\5\6')]
    index = [('lm_head.weight', entry('lm_head.weight', F32, [2, 4], 0, 0))]
    data, entries = b'', []
    for name, code, dims, raw in parts:
        index.append((name, entry(name, code, dims, len(data), len(raw))))
        entries.append((name, code, dims, raw))
        data += raw + bytes(up(len(raw), 64) - len(raw))
    index = b''.join(e for _, e in sorted(index))
    return apr(index, 5, data, meta), entries


def make_apr():
    g = apr()
    good('good.apr', g)
    good('good-tied.apr', tied()[0])
    good('good-bare.apr', apr(meta=b''))

    def p(name, why, fragment, data):
        bad('apr/' + name, why, fragment, data)

    # header
    p('empty', 'a file of no bytes', 'empty', b'')
    p('magic', 'the magic is "XPR\\0"', 'not a model', apr(magic=b'XPR\0'))
    p('magic-apr1', 'the magic is "APR1"', 'APR1', apr(magic=b'APR1'))
    p('magic-apr2', 'the magic is "APR2"', 'APR2', apr(magic=b'APR2'))
    v1 = b'APRN' + struct.pack('<BBHIIIBBB9x', 1, 0, 0x20, 1, 1, 1, 0, 0, 0)
    v1 += b'\x80\xc0'
    p('version1-aprn', 'an .apr of version 1 (APRN), in itself right', 'APRN',
      v1 + struct.pack('<I', zlib.crc32(v1)))
    p('version-1', 'version 1.0 behind the magic of version 2', 'version 1',
      apr(version=b'\1\0'))
    p('version-3', 'version 3.0', 'version 3', apr(version=b'\3\0'))
    p('header-crc', 'wrong CRC of the header, footer right', 'header checksum',
      apr(header_crc=0xdeadbeef))
    p('header-bit', 'one bit flipped in the reserved bytes of the header',
      'header checksum', refoot(put(g, 60, b'\x10')))
    p('footer-crc', 'wrong CRC in the footer', 'footer',
      apr(footer=0xdeadbeef))
    p('data-bit', 'one bit flipped in the data, the footer is the old one',
      'footer', put(g, g.index(A) + 3, bytes([A[3] ^ 1])))
    p('column-major', 'flag 0x0800: column-major', 'column-major',
      apr(flags=0x800))
    p('both-majors', 'flags 0x0400 and 0x0800: row-major and column-major',
      'column-major', apr(flags=0xc00))
    p('lz4', 'flag 0x0001: LZ4', 'compressed', apr(flags=0x401))
    p('zstd', 'flag 0x0002: zstd', 'compressed', apr(flags=0x402))
    p('encrypted', 'flag 0x0004: encrypted', 'encrypted', apr(flags=0x404))

    # metadata
    p('metadata-size-beyond-file', 'metadata size beyond the end of the file',
      'metadata', apr(msize=0x10000))
    p('metadata-size-max', 'metadata size 2^32-1', 'metadata',
      apr(msize=0xffffffff))
    p('metadata-offset-max', 'metadata offset 2^64-1, offset + size wraps',
      'metadata', apr(moff=M64 - 1))
    p('metadata-in-header', 'the metadata offset lies in the header',
      'metadata', apr(moff=40, meta=META))
    p('metadata-not-json', 'metadata is not JSON', 'JSON',
      apr(meta=b'model_type: llama'))
    p('metadata-cut', 'metadata size one byte short: the last } is missing',
      'JSON', apr(meta=META[:-1]))
    p('metadata-two', 'two JSON objects in the metadata', 'JSON',
      apr(meta=META + b'{}'))
    p('metadata-array', 'metadata is an array', 'object', apr(meta=b'[1,2]'))
    p('metadata-string', 'metadata is a string', 'object',
      apr(meta=b'"llama"'))
    p('metadata-deep', 'metadata nested 6000 deep', 'deep',
      apr(meta=b'{"model_type":"llama","x":' + deep(6000) + b'}'))
    p('metadata-not-utf8', 'a string in the metadata is not UTF-8', 'UTF-8',
      apr(meta=META.replace(b'"bad"', b'"b\xffd"')))
    p('metadata-control', 'a raw line feed in a JSON string', 'JSON',
      apr(meta=META.replace(b'"bad"', b'"b\nd"')))

    # sections
    p('count-max', '2^32-1 tensors', 'index', apr(count=0xffffffff))
    p('count-2e31', '2^31 tensors', 'index', apr(count=1 << 31))
    p('count-less', 'tensor count one less than the index has', 'zero',
      apr(count=1, index=EA + EB, data=A + bytes(32)))
    p('index-cut', 'the index ends inside its second entry', 'index',
      apr(index=EA + EB[:20], aligned=False))
    p('index-cut-length', 'the index ends inside a name length', 'index',
      apr(index=EA + EB[:1], aligned=False))
    p('index-beyond-file', 'index offset beyond the end of the file', 'index',
      apr(ioff=1 << 20))
    p('index-offset-max', 'index offset 2^64-64', 'index', apr(ioff=M64 - 64))
    p('index-in-metadata', 'the index lies inside the metadata',
      'overlap', apr(ioff=64 + 16))
    p('data-in-index', 'data offset inside the index', 'index',
      apr(doff=64 + up(len(META), 64) + 16))
    p('data-before-index', 'data offset before the index', 'index',
      apr(doff=64))
    p('data-beyond-file', 'data offset beyond the end of the file', 'end',
      apr(doff=1 << 40))
    p('data-offset-max', 'data offset 2^64-64: data offset + offset wraps',
      'overflow', apr(doff=M64 - 64))

    # names
    p('name-empty', 'a name of no bytes', 'empty name',
      apr(entry('', F32, [2, 4], 0, 32) + EB))
    p('name-length-max', 'name length 65535', 'index',
      apr(EA + entry('b.weight', F16, [3], 64, 6, nlen=65535)))
    p('name-not-utf8', 'a name is not UTF-8', 'UTF-8',
      apr(EA + entry(b'b.w\xffight', F16, [3], 64, 6)))
    p('name-cut-utf8', 'a name ends inside a UTF-8 character', 'UTF-8',
      apr(EA + entry(b'b.weigh\xc3', F16, [3], 64, 6)))
    p('name-surrogate', 'a name holds a surrogate in UTF-8', 'UTF-8',
      apr(EA + entry(b'b.\xed\xa0\x80', F16, [3], 64, 6)))
    p('name-overlong', 'a name holds an overlong "/"', 'UTF-8',
      apr(EA + entry(b'b.\xc0\xaf', F16, [3], 64, 6)))
    p('name-nul', 'a name with a NUL', 'NUL',
      apr(EA + entry(b'b.\0eight', F16, [3], 64, 6)))
    p('name-twice', 'two tensors of one name', 'twice',
      apr(EA + entry('a.weight', F16, [3], 64, 6)))

    # types, shapes, sizes
    for code in (127, 130, 255):
        p('type-%d' % code, 'unknown type code %d' % code, 'type',
          apr(EA + entry('b.weight', code, [3], 64, 6)))
    p('type-2-length', 'type 2 with a length that is neither BF16 nor Q4_0',
      'bytes', apr(EA + entry('b.weight', 2, [4], 64, 6)))
    p('type-8-length', 'type 8 with a length that is neither Q4 nor Q8_0',
      'bytes', apr(EA + entry('b.weight', 8, [32], 64, 6)))
    p('size-less', 'size is 4 bytes less than the shape needs', 'bytes',
      apr(entry('a.weight', F32, [2, 4], 0, 28) + EB,
          data=A[:28] + bytes(36) + B + bytes(58)))
    p('size-more', 'size is 4 bytes more than the shape needs', 'bytes',
      apr(entry('a.weight', F32, [2, 4], 0, 36) + EB))
    p('size-q4k', 'Q4_K whose size is neither padded by row nor flat',
      'bytes', apr(EA + entry('b.weight', Q4K, [2, 300], 64, 577),
                   data=A + bytes(32) + bytes(577 + 63)))
    p('ndim-255', '255 dimensions, and no bytes for them', 'index',
      apr(EA + entry('b.weight', F16, [3], 64, 6, ndim=255)))
    p('shape-wraps', 'shape (7, (3*2^64+1)/7) of I8: 1 modulo 2^64',
      'overflow', apr(EA + entry('b.weight', I8, [7, INV7], 64, 1),
          data=A + bytes(32) + b'\1' + bytes(63)))
    p('bytes-wrap', 'shape (2^62+2) of F32: 8 bytes modulo 2^64', 'overflow',
      apr(EA + entry('b.weight', F32, [(1 << 62) + 2], 64, 8),
          data=A + bytes(32) + f32(1, 2) + bytes(56)))
    rows = (M64 + 128) // 144
    p('rows-wrap', 'Q4_K rows, padded, of 2^64 + 128 bytes', 'overflow',
      apr(EA + entry('b.weight', Q4K, [rows, 1], 64, rows * 144 % M64),
          data=A + bytes(32) + bytes(rows * 144 % M64)))
    p('q8-wraps', 'native Q8 of 2^64-2 elements: 4 + n is 2 modulo 2^64',
      'overflow', apr(EA + entry('b.weight', APRQ8, [M64 - 2], 64, 2),
                      data=A + bytes(32) + bytes(64)))
    p('size-2e63', 'I8 of 2^63-1 bytes in a small file', 'end',
      apr(EA + entry('b.weight', I8, [(1 << 63) - 1], 64, (1 << 63) - 1)))
    p('size-2e64', 'I8 of 2^64-1 bytes: offset + size wraps', 'overflow',
      apr(EA + entry('b.weight', I8, [M64 - 1], 64, M64 - 1)))
    p('offset-wraps', 'offset 2^64-4 and size 6: their sum wraps', 'overflow',
      apr(EA + entry('b.weight', F16, [3], M64 - 4, 6),
          data=A + bytes(32)))
    p('offset-beyond-file', 'a tensor beyond the end of the file', 'end',
      apr(EA + entry('b.weight', F16, [3], 4096, 6), data=A + bytes(32)))
    p('overlap', 'two tensors share bytes', 'overlap',
      apr(EA + entry('b.weight', F16, [3], 26, 6 + 2 - 2),
          data=A + bytes(32)))
    p('overlap-equal', 'two tensors of one offset and length', 'overlap',
      apr(EA + entry('b.weight', F32, [8], 0, 32), data=A + bytes(32)))

    # ghosts
    untied = {'model_type': 'llama', 'total_size': 0, 'param_count': 0,
              'architecture': 'llama'}
    p('ghost-not-tied', 'a tensor of no bytes, no tied_embeddings', 'tied',
      tied(compact(untied))[0])
    p('ghost-tied-false', 'a tensor of no bytes, tied_embeddings is false',
      'tied', tied(compact({**untied, 'tied_embeddings': False}))[0])
    p('ghost-no-embedding', 'a tensor of no bytes, and no embedding', 'tied',
      tied(embed='model.other.weight')[0])
    p('ghost-name', 'a tensor of no bytes; the embedding has not quite its '
      'name', 'tied', tied(embed='model.xembed_tokens.weight')[0])
    p('ghost-shape', 'a tensor of no bytes, the embedding has another shape',
      'tied', tied(shape=(4, 2))[0])

    # what lies between and behind
    p('padding-metadata', 'a byte behind the metadata is not zero', 'zero',
      apr(fill=lambda i, d: i - 1))
    p('padding-index', 'a byte behind the index is not zero', 'zero',
      apr(fill=lambda i, d: d - 1))
    p('padding-data', 'a byte between two tensors is not zero', 'zero',
      apr(fill=lambda i, d: d + 40))
    p('padding-last', 'a byte behind the last tensor is not zero', 'zero',
      apr(fill=lambda i, d: d + 64 + 20))
    p('behind', '16 bytes behind the footer', 'behind',
      apr(behind=b'bytes behind end'))
    p('behind-zeros', '64 zero bytes behind the footer', 'behind',
      apr(behind=bytes(64)))
    p('footer-twice', 'the footer is there twice', 'behind', g + g[-4:])

    # truncated
    for name, n in (('1', 1), ('header', 40), ('metadata', 64 + 20),
                    ('index', 64 + up(len(META), 64) + 30),
                    ('data', g.index(A) + 10), ('last', g.index(B) + 3)):
        p('cut-' + name, 'ends after %d bytes' % n,
          'not a model' if n == 1 else 'end', g[:n])
    p('cut-footer', 'ends inside the footer', 'behind', g[:-2])


# ------------------------------------------------------------------- GGUF

U8T, U32T, I32T, F32T, BOOLT, STRT, ARRT, U64T = 0, 4, 5, 6, 7, 8, 9, 10


class Gguf:
    """Writes GGUF in either byte order."""

    def __init__(self, order='<'):
        self.order = order

    def n(self, form, *v):
        return struct.pack(self.order + form, *v)

    def s(self, text, length=None):
        text = text if isinstance(text, bytes) else text.encode()
        return self.n('Q', len(text) if length is None else length) + text

    def kv(self, key, kind, value):
        return self.s(key) + self.n('I', kind) + value

    def string(self, key, value):
        return self.kv(key, STRT, self.s(value))

    def u32(self, key, value):
        return self.kv(key, U32T, self.n('I', value))

    def array(self, key, kind, count, value):
        return self.kv(key, ARRT, self.n('IQ', kind, count) + value)

    def info(self, name, dims, kind, off, ndims=None, length=None):
        return (self.s(name, length) +
                self.n('I', len(dims) if ndims is None else ndims) +
                self.n('%dQ' % len(dims), *dims) + self.n('IQ', kind, off))


L = Gguf()
Q8 = struct.pack('<e', 0.5) + bytes(range(32))


def gkvs(w=L):
    return [w.string('general.architecture', 'llama'),
            w.u32('llama.block_count', 1),
            w.kv('llama.flag', BOOLT, b'\1'),
            w.array('tokenizer.ggml.tokens', STRT, 2, w.s('a') + w.s('b'))]


def ginfos(w=L):
    return [w.info('a.weight', [4, 2], 0, 0),
            w.info('b.weight', [32, 2], 8, 32)]


GDATA = A + Q8 * 2 + bytes(28)


def gguf(kvs=None, infos=None, data=GDATA, more=(), version=3, nkv=None,
         ninfo=None, align=32, w=L, gap=b'\0'):
    kvs = gkvs(w) if kvs is None else kvs
    kvs = kvs + list(more)
    infos = ginfos(w) if infos is None else infos
    out = (b'GGUF' + w.n('I', version) +
           w.n('Q', len(infos) if ninfo is None else ninfo) +
           w.n('Q', len(kvs) if nkv is None else nkv) +
           b''.join(kvs) + b''.join(infos))
    if infos:
        out += gap * (up(len(out), align) - len(out)) + data
    return out


def make_gguf():
    g = gguf()
    good('good.gguf', g)
    good('good-64.gguf', gguf(       # the longest name, an alignment, a gap
        more=[L.u32('general.alignment', 64)], align=64,
        infos=[L.info('a' * 64, [4, 2], 0, 0),
               L.info('b.weight', [32, 2], 8, 128)],
        data=A + bytes(96) + Q8 * 2 + bytes(60)))
    good('good-empty.gguf', gguf(infos=[]))

    def p(name, why, fragment, data):
        bad('gguf/' + name, why, fragment, data)

    # header
    p('magic', 'the magic is "GGUX"', 'not a model', b'GGUX' + g[4:])
    p('big-endian', 'a big-endian file', 'big-endian',
      gguf(w=Gguf('>'), data=b''.join(A[i:i + 4][::-1] for i in
                                      range(0, 32, 4)) +
           (Q8[1::-1] + Q8[2:]) * 2 + bytes(28)))
    for v in (0, 1, 4, 0xffff):
        p('version-%d' % v, 'version %d' % v, 'version', gguf(version=v))
    for name, n in (('2e31', 1 << 31), ('2e32', 1 << 32), ('2e63', 1 << 63),
                    ('max', M64 - 1)):
        p('tensors-' + name, '%d tensors' % n, 'tensor', gguf(ninfo=n))
        p('keys-' + name, '%d keys' % n, 'key', gguf(nkv=n))

    # keys and values
    def more(name, why, fragment, *kvs):
        p(name, why, fragment, gguf(more=kvs))

    more('key-empty', 'a key of no bytes', 'key', L.u32('', 1))
    more('key-length-max', 'key length 2^64-1', 'end',
         L.s('k', M64 - 1) + L.n('II', U32T, 1))
    more('key-length-2e63', 'key length 2^63', 'end',
         L.s('k', 1 << 63) + L.n('II', U32T, 1))
    more('key-not-utf8', 'a key is not UTF-8', 'UTF-8', L.u32(b'k\xff', 1))
    more('key-twice', 'a key is there twice', 'twice',
         L.u32('llama.block_count', 1))
    more('key-type-13', 'unknown value type 13', 'type',
         L.kv('k', 13, L.n('Q', 0)))
    more('key-type-max', 'value type 2^32-1', 'type',
         L.kv('k', 0xffffffff, L.n('Q', 0)))
    more('bool-2', 'a bool is 2', 'bool', L.kv('k', BOOLT, b'\2'))
    more('string-max', 'string length 2^64-1', 'end',
         L.kv('k', STRT, L.s('v', M64 - 1)))
    more('string-2e63', 'string length 2^63', 'end',
         L.kv('k', STRT, L.s('v', 1 << 63)))
    more('string-2e32', 'string length 2^32', 'end',
         L.kv('k', STRT, L.s('v', 1 << 32)))
    more('string-4096', 'string length 4096, the file has less', 'end',
         L.kv('k', STRT, L.s('v', 4096)))
    more('array-2e62', 'an array of 2^62 bytes', 'array',
         L.array('k', U8T, 1 << 62, b''))
    more('array-wraps', 'an array of 2^61 u64: 0 bytes modulo 2^64', 'array',
         L.array('k', U64T, 1 << 61, b''))
    more('array-wraps-small', 'an array of 2^62+1 u32: 4 bytes modulo 2^64',
         'array', L.array('k', U32T, (1 << 62) + 1, L.n('I', 7)))
    more('array-strings-max', 'an array of 2^64-1 strings', 'array',
         L.array('k', STRT, M64 - 1, L.s('v')))
    more('array-string-length', 'a string in an array has length 2^64-1',
         'end', L.array('k', STRT, 1, L.s('v', M64 - 1)))
    more('array-type-13', 'unknown element type 13', 'type',
         L.array('k', 13, 1, L.n('Q', 0)))
    more('array-type-13-empty', 'unknown element type 13, no elements',
         'type', L.array('k', 13, 0, b''))
    more('array-nested', 'an array of an array', 'array',
         L.array('k', ARRT, 1, L.n('IQI', U32T, 1, 7)))
    more('array-nested-2000', 'arrays nested 2000 deep', 'array',
         L.array('k', ARRT, 1, L.n('IQ', ARRT, 1) * 1998 +
                 L.n('IQI', U32T, 1, 7)))
    more('array-bool-2', 'a bool in an array is 2', 'bool',
         L.array('k', BOOLT, 3, b'\1\2\0'))
    for name, n in (('0', 0), ('3', 3), ('2e31', 1 << 31),
                    ('max', 0xffffffff)):
        p('alignment-' + name, 'general.alignment is %d' % n, 'alignment',
          gguf(more=[L.u32('general.alignment', n)], infos=[]))
    p('alignment-u64', 'general.alignment is not a u32', 'alignment',
      gguf(more=[L.kv('general.alignment', U64T, L.n('Q', 32))]))
    p('alignment-string', 'general.alignment is a string', 'alignment',
      gguf(more=[L.string('general.alignment', '32')]))
    p('alignment-array', 'general.alignment is an array', 'alignment',
      gguf(more=[L.array('general.alignment', U32T, 1, L.n('I', 32))]))
    p('split-alone', 'the first of two parts, and the other is not there',
      'split', gguf(more=[L.kv('split.no', 2, L.n('H', 0)),
                          L.kv('split.count', 2, L.n('H', 2)),
                          L.kv('split.tensors.count', I32T, L.n('i', 4))]))

    # tensor infos
    a, b = ginfos()

    def second(name, why, fragment, info, data=GDATA):
        p(name, why, fragment, gguf(infos=[a, info], data=data))

    second('name-empty', 'a name of no bytes', 'empty name',
           L.info('', [32, 2], 8, 32))
    second('name-65', 'a name of 65 bytes', 'long',
           L.info('b' * 65, [32, 2], 8, 32))
    second('name-length-max', 'name length 2^64-1', 'name',
           L.info('b.weight', [32, 2], 8, 32, length=M64 - 1))
    second('name-not-utf8', 'a name is not UTF-8', 'UTF-8',
           L.info(b'b.w\xffight', [32, 2], 8, 32))
    second('name-twice', 'two tensors of one name', 'twice',
           L.info('a.weight', [32, 2], 8, 32))
    second('dims-5', '5 dimensions', 'dimensions',
           L.info('b.weight', [32, 2, 1, 1, 1], 8, 32))
    second('dims-max', '2^32-1 dimensions', 'dimensions',
           L.info('b.weight', [32, 2], 8, 32, ndims=0xffffffff))
    for kind, what in ((4, 'Q4_2, gone'), (5, 'Q4_3, gone'),
                       (31, 'Q4_0_4_4, gone'), (32, 'Q4_0_4_8, gone'),
                       (33, 'Q4_0_8_8, gone'), (36, 'IQ4_NL_4_4, gone'),
                       (37, 'IQ4_NL_4_8, gone'), (38, 'IQ4_NL_8_8, gone'),
                       (43, 'unknown'), (133, 'of ik_llama'),
                       (144, 'of ik_llama'), (0xffffffff, 'unknown')):
        second('type-%d' % kind, 'type %d (%s)' % (kind, what),
               'ik_llama' if 'ik' in what else 'type',
               L.info('b.weight', [32, 2], kind, 32))
    second('dim-2e63', 'a dimension of 2^63: negative as a signed number',
           'overflow', L.info('b.weight', [1 << 63], 24, 32))
    second('dim-max', 'a dimension of 2^64-1', 'overflow',
           L.info('b.weight', [M64 - 1], 24, 32))
    second('dims-2e63-2', 'dims (2^63-1, 2) of I8', 'overflow',
           L.info('b.weight', [(1 << 63) - 1, 2], 24, 32))
    second('dims-2e32-2e32', 'dims (2^32, 2^32) of I8: 0 bytes modulo 2^64',
           'overflow', L.info('b.weight', [1 << 32, 1 << 32], 24, 32), A)
    second('dims-wrap', 'dims (7, (3*2^64+1)/7) of I8: 1 byte modulo 2^64',
           'overflow', L.info('b.weight', [7, INV7], 24, 32),
           A + b'\1' + bytes(31))
    second('bytes-wrap', 'dims (2^62+2) of F32: 8 bytes modulo 2^64',
           'overflow', L.info('b.weight', [(1 << 62) + 2], 0, 32),
           A + f32(1, 2) + bytes(24))
    second('blocks-wrap', 'Q8_0 rows that take 2^64 + 16 bytes', 'overflow',
           L.info('b.weight', [32, (M64 + 32) // 34], 8, 32),
           A + bytes(up((M64 + 32) // 34 * 34 % M64, 32)))
    second('pad-wraps', 'I8 of 2^64-16 bytes: padded, 0 modulo 2^64',
           'overflow', L.info('b.weight', [M64 - 16], 24, 32), A)
    second('huge', 'I8 of 2^50 bytes in a small file', 'end',
           L.info('b.weight', [1 << 50], 24, 32))
    second('row-not-blocks', 'Q8_0 whose rows have 33 elements', 'block',
           L.info('b.weight', [33, 2], 8, 32))
    second('row-half-block', 'Q8_0 (16, 4): whole blocks, no whole rows',
           'block', L.info('b.weight', [16, 4], 8, 32))

    # offsets and data
    second('offset-unaligned', 'an offset that is no multiple of 32',
           'align', L.info('b.weight', [32, 2], 8, 40),
           A + bytes(8) + Q8 * 2 + bytes(20))
    second('offset-equal', 'two tensors at one offset', 'overlap',
           L.info('b.weight', [32, 1], 8, 0), A + bytes(32))
    p('overlap', 'a tensor begins inside another', 'overlap',
      gguf(infos=[L.info('a.weight', [4, 4], 0, 0),
                  L.info('b.weight', [32, 1], 8, 32)], data=A + A + bytes(32)))
    second('offset-beyond-file', 'a tensor beyond the end of the file', 'end',
           L.info('b.weight', [32, 2], 8, 1 << 20), A)
    second('offset-2e63', 'offset 2^63', 'end',
           L.info('b.weight', [32, 2], 8, 1 << 63), A)
    second('offset-wraps', 'offset 2^64-32: offset + bytes wraps', 'overflow',
           L.info('b.weight', [32, 2], 8, M64 - 32), A)
    p('padding-header', 'a byte before the data is not zero', 'zero',
      gguf(gap=b'\x41'))
    second('padding-gap', 'a byte between two tensors is not zero', 'zero',
           L.info('b.weight', [32, 2], 8, 64),
           A + b'\0\0\0\1' + bytes(28) + Q8 * 2 + bytes(28))
    p('padding-last', 'a byte of the last padding is not zero', 'zero',
      g[:-1] + b'\1')
    p('behind', 'bytes behind the end', 'behind', g + b'bytes behind end')

    # truncated
    base = len(g) - len(GDATA)
    name = g.index(b'a.weight')
    for what, n in (('magic', 4), ('counts', 20), ('key', 40),
                    ('value', 24 + 8 + 20 + 4 + 8 + 3), ('name', name + 3),
                    ('info', name + 8 + 4 + 10), ('before-data', base),
                    ('data', base + 10), ('last', base + 32 + 67)):
        p('cut-' + what, 'ends after %d bytes' % n, 'end', g[:n])


# ------------------------------------------------------------ safetensors

STH = ('{"__metadata__":{"format":"pt"},'
       '"a.weight":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]},'
       '"b.weight":{"dtype":"F16","shape":[3],"data_offsets":[32,38]}}')


def st(head=STH, data=A + B, length=None, pad=b' '):
    head = head if isinstance(head, bytes) else head.encode()
    head += pad * (up(len(head), 8) - len(head))
    return struct.pack('<Q', len(head) if length is None else length) + \
        head + data


def make_safetensors():
    g = st()
    good('good.safetensors', g)
    good('good-odd.safetensors', st(    # rank 0, nothing, blanks
        '{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]} ,\n'
        '"z":{"dtype":"I64","shape":[0,5],"data_offsets":[4,4]},'
        '"x":{"shape":[1],"data_offsets":[4,5],"dtype":"U8"}}',
        f32(1) + b'\x12'))

    def p(name, why, fragment, data):
        bad('safetensors/' + name, why, fragment, data)

    def edit(name, why, fragment, old, new, data=A + B):
        assert STH.count(old) >= 1, old
        if isinstance(new, bytes):
            head = STH.encode().replace(old.encode(), new, 1)
        else:
            head = STH.replace(old, new, 1)
        p(name, why, fragment, st(head, data))

    head = g[8:len(g) - 38]

    # the header's length
    p('empty', 'a file of no bytes', 'empty', b'')
    p('length-0', 'header length 0', 'header', st('', b'', 0))
    p('length-beyond-file', 'header length beyond the end of the file',
      'end', st(length=4096))
    p('length-1-less', 'header length one less: the last } is missing',
      'JSON', struct.pack('<Q', len(STH) - 1) + STH.encode() + A + B)
    p('length-into-data', 'header length reaches into the data', 'JSON',
      st(length=len(head) + 8))
    p('length-100000001', 'header length 100000001', 'header',
      st(length=100000001))
    for name, n in (('2e32', 1 << 32), ('2e63', 1 << 63), ('max', M64 - 1)):
        p('length-' + name, 'header length %d' % n, 'header', st(length=n))

    # JSON
    p('not-json', 'the header is not JSON', 'JSON', st('{a.weight: F32}'))
    p('leading-blanks', 'blanks before the first {', 'JSON', st('  ' + STH))
    p('bom', 'a byte order mark before the first {', 'JSON',
      st(b'\xef\xbb\xbf' + STH.encode()))
    p('padded-with-nul', 'the header is padded with NUL', 'JSON',
      st(STH + '\0', pad=b'\0'))
    p('array', 'the header is an array', 'JSON', st('[' + STH + ']'))
    p('two-objects', 'two objects in the header', 'JSON', st(STH + '{}'))
    p('deep', 'a shape nested 3000 deep', 'deep',
      st(STH.encode().replace(b'[2,4]', deep(3000))))
    p('metadata-deep', '__metadata__ nested 3000 deep', 'deep',
      st(STH.encode().replace(b'"pt"', deep(3000))))
    edit('trailing-comma', 'a comma before the last }', 'JSON',
         '[32,38]}}', '[32,38]},}')
    edit('single-quotes', 'a name in single quotes', 'JSON',
         '"b.weight"', "'b.weight'")
    edit('not-utf8', 'a byte that is not UTF-8', 'UTF-8',
         '"b.weight"', b'"b.w\xffight"')
    edit('control', 'a raw control character in a name', 'JSON',
         '"b.weight"', '"b.\1eight"')

    # names
    edit('name-empty', 'a name of no bytes', 'empty name', '"b.weight"', '""')
    edit('name-nul', 'a name with \\u0000', 'NUL',
         '"b.weight"', '"b.\\u0000eight"')
    edit('name-surrogate', 'a lone surrogate in a name', 'surrogate',
         '"b.weight"', '"b.\\ud800eight"')
    edit('name-low-surrogate', 'a low surrogate alone in a name', 'surrogate',
         '"b.weight"', '"b.\\udc00eight"')
    edit('name-bad-escape', 'an unknown escape in a name', 'JSON',
         '"b.weight"', '"b.\\weight"')
    edit('name-twice', 'two tensors of one name', 'twice',
         '"b.weight"', '"a.weight"')
    edit('name-twice-escaped', 'one name, written in two ways', 'twice',
         '"b.weight"', '"\\u0061.weight"')
    edit('name-twice-same', 'the same entry twice', 'twice',
         '"b.weight":', '"b.weight":{"dtype":"F16","shape":[3],'
         '"data_offsets":[32,38]},"b.weight":')
    edit('metadata-twice', '__metadata__ is there twice', 'twice',
         '"a.weight"', '"__metadata__":{"format":"pt"},"a.weight"')

    # entries
    edit('entry-number', 'an entry is a number', 'object',
         '{"dtype":"F16","shape":[3],"data_offsets":[32,38]}', '38')
    edit('no-dtype', 'no dtype', 'dtype', '"dtype":"F16",', '')
    edit('no-shape', 'no shape', 'shape', '"shape":[3],', '')
    edit('no-offsets', 'no data_offsets', 'data_offsets',
         ',"data_offsets":[32,38]', '')
    edit('key-unknown', 'an unknown key in an entry', 'unknown',
         '"shape":[3]', '"shape":[3],"strides":[1]')
    edit('key-twice', 'shape is there twice in an entry', 'twice',
         '"shape":[3]', '"shape":[4],"shape":[3]')
    edit('dtype-unknown', 'unknown dtype', 'dtype', '"F16"', '"F17"')
    edit('dtype-lower', 'a dtype in small letters', 'dtype', '"F16"', '"f16"')
    edit('dtype-ggml', 'a dtype of GGUF', 'dtype',
         '"F16","shape":[3]', '"Q8_0","shape":[32]', A + Q8)
    edit('dtype-number', 'dtype is a number', 'dtype', '"F16"', '16')
    edit('dtype-null', 'dtype is null', 'dtype', '"F16"', 'null')
    edit('metadata-string', '__metadata__ is a string', '__metadata__',
         '{"format":"pt"}', '"pt"')
    edit('metadata-number', 'a value in __metadata__ is a number',
         '__metadata__', '"pt"', '1')
    edit('metadata-object', 'a value in __metadata__ is an object',
         '__metadata__', '"pt"', '{"a":"b"}')

    # numbers
    edit('shape-number', 'shape is a number', 'shape', '[3]', '3')
    edit('shape-string', 'a dimension is a string', 'shape', '[3]', '["3"]')
    edit('shape-negative', 'a negative dimension', 'shape', '[3]', '[-3]')
    edit('shape-minus', 'two negative dimensions whose product is right',
         'shape', '[3]', '[-3,-1]')
    edit('shape-fraction', 'a dimension of 1.5', 'shape',
         '"F16","shape":[3]', '"F16","shape":[1.5,2]')
    edit('shape-point-0', 'a dimension of 3.0', 'shape', '[3]', '[3.0]')
    edit('shape-exponent', 'a dimension of 3e0', 'shape', '[3]', '[3e0]')
    edit('shape-minus-0', 'a dimension of -0', 'shape',
         '[3],"data_offsets":[32,38]', '[-0],"data_offsets":[32,32]', A)
    edit('shape-leading-0', 'a dimension of 03', 'JSON', '[3]', '[03]')
    edit('shape-plus', 'a dimension of +3', 'JSON', '[3]', '[+3]')
    edit('shape-null', 'a dimension is null', 'shape', '[3]', '[null]')
    edit('shape-true', 'a dimension is true', 'shape', '[3]', '[3,true]')
    edit('shape-2e64', 'a dimension of 2^64+3: 3 modulo 2^64', 'overflow',
         '[3]', '[18446744073709551619]')
    edit('shape-digits', 'a dimension of 400 digits', 'overflow',
         '[3]', '[' + '9' * 400 + ']')
    edit('shape-wraps', 'shape [7, (3*2^64+1)/7] of U8: 1 modulo 2^64',
         'overflow', '"F16","shape":[3],"data_offsets":[32,38]',
         '"U8","shape":[7,7905747460161236407],"data_offsets":[32,33]',
         A + b'\1')
    edit('bytes-wrap', 'shape [2^62+2] of F32: 8 bytes modulo 2^64',
         'overflow', '"F16","shape":[3],"data_offsets":[32,38]',
         '"F32","shape":[4611686018427387906],"data_offsets":[32,40]',
         A + f32(1, 2))
    edit('bits-wrap', 'shape [2^61+1] of U8: 8 bits modulo 2^64', 'end',
         '"F16","shape":[3],"data_offsets":[32,38]',
         '"U8","shape":[2305843009213693953],"data_offsets":[32,33]',
         A + b'\1')
    edit('shape-mismatch', 'shape and data_offsets disagree', 'bytes',
         '[3]', '[4]')
    edit('f4', 'F4 of 4 elements: 2 bytes, in itself right', 'bits',
         '"F16","shape":[3],"data_offsets":[32,38]',
         '"F4","shape":[4],"data_offsets":[32,34]', A + b'\1\2')
    edit('odd-bits', 'F4 of 3 elements: 12 bits', 'bits',
         '"F16","shape":[3],"data_offsets":[32,38]',
         '"F4","shape":[3],"data_offsets":[32,34]', A + b'\1\2')
    edit('odd-bits-6', 'F6_E2M3 of 3 elements: 18 bits', 'bits',
         '"F16","shape":[3],"data_offsets":[32,38]',
         '"F6_E2M3","shape":[3],"data_offsets":[32,35]', A + b'\1\2\3')

    # offsets
    edit('offsets-reversed', 'data_offsets run backwards', 'data_offsets',
         '[32,38]', '[38,32]')
    edit('offsets-1', 'data_offsets has one number', 'data_offsets',
         '[32,38]', '[38]')
    edit('offsets-3', 'data_offsets has three numbers', 'data_offsets',
         '[32,38]', '[32,38,38]')
    edit('offsets-string', 'data_offsets has strings', 'data_offsets',
         '[32,38]', '["32","38"]')
    edit('offsets-object', 'data_offsets is an object', 'data_offsets',
         '[32,38]', '{"begin":32,"end":38}')
    edit('offsets-minus-0', 'an offset of -0', 'data_offsets',
         '[0,32]', '[-0,32]')
    edit('offsets-2e64', 'offsets of 2^64+32 and 2^64+38', 'overflow',
         '[32,38]', '[18446744073709551648,18446744073709551654]')
    edit('offsets-exponent', 'an offset of 3.2e1', 'data_offsets',
         '[32,38]', '[3.2e1,38]')
    edit('hole', 'a hole of 2 bytes between two tensors', 'hole',
         '[32,38]', '[34,40]', A + b'\0\0' + B)
    edit('overlap', 'two tensors share bytes', 'overlap',
         '[32,38]', '[26,32]', A)
    edit('overlap-equal', 'two tensors are the same bytes', 'overlap',
         '"F16","shape":[3],"data_offsets":[32,38]',
         '"F32","shape":[8],"data_offsets":[0,32]', A)
    p('not-from-0', 'the first tensor begins at 8', 'hole',
      st(STH.replace('[0,32]', '[8,40]').replace('[32,38]', '[40,46]'),
         bytes(8) + A + B))
    edit('beyond-file', 'a tensor beyond the end of the file', 'end',
         '"F16","shape":[3],"data_offsets":[32,38]',
         '"U8","shape":[1125899906842624],'
         '"data_offsets":[32,1125899906842656]')

    # behind, truncated
    p('behind', 'one byte behind the end', 'behind', g + b'\1')
    p('behind-zeros', '26 zero bytes behind the end', 'behind', g + bytes(26))
    box = io.BytesIO()
    with zipfile.ZipFile(box, 'w') as z:
        z.writestr(zipfile.ZipInfo('data.pkl', (1980, 1, 1, 0, 0, 0)),
                   b'\x80\x02N.')
    p('zip-behind', 'a zip archive behind the end', 'behind',
      g + box.getvalue())
    p('data-no-tensors', 'no tensors, but data', 'behind', st('{}', A))
    for what, n in (('length', 7), ('header', 40), ('before-data', 8 +
                    len(head)), ('data', 8 + len(head) + 10),
                    ('last', len(g) - 1)):
        p('cut-' + what, 'ends after %d bytes' % n,
          'not a model' if n == 7 else 'end', g[:n])


# ---------------------------------------------------------------- streams

SAFE = (b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
        b'0123456789._-')


def escaped(name):
    name = name if isinstance(name, bytes) else name.encode()
    out = ''.join(chr(c) if c in SAFE and (i or c != 46) else '%%%02X' % c
                  for i, c in enumerate(name))
    return out


class Member:
    """One entry of a tar archive.  body is what stands in the archive, data
    what its checksum is taken from; size is the header's field."""

    def __init__(self, name, data=b'', body=None, kind=b'0', size=None,
                 link=b'', damage=False, before=b'', fields=()):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.data = data
        self.body = data if body is None else body
        self.kind, self.size, self.link = kind, size, link
        self.damage, self.before, self.fields = damage, before, fields

    def header(self):
        n = len(self.body) if self.size is None else self.size
        if isinstance(n, bytes):
            size = n
        elif n < 8 ** 11:
            size = b'%011o\0' % n
        else:
            size = b'\x80' + n.to_bytes(11, 'big')
        assert len(self.name) <= 100 and len(size) == 12
        h = bytearray(512)
        h[0:len(self.name)] = self.name
        h[100:108] = b'0000644\0'
        h[108:116] = b'0000000\0'
        h[116:124] = b'0000000\0'
        h[124:136] = size
        h[136:148] = b'00000000000\0'
        h[148:156] = b' ' * 8
        h[156:157] = self.kind
        h[157:157 + len(self.link)] = self.link
        h[257:265] = b'ustar\00000'
        for at, value in self.fields:
            h[at:at + len(value)] = value
        total = sum(h) + (1 if self.damage else 0)
        h[148:156] = b'%06o\0 ' % total
        return bytes(h)

    def bytes(self):
        return self.before + self.header() + self.body + \
            bytes(up(len(self.body), 512) - len(self.body))


def pax(**records):
    """A pax header for the member behind it."""
    out = b''
    for key, value in records.items():
        rest = b' %s=%s\n' % (key.replace('__', '.').encode(), value)
        n = len(rest) + 1
        while len(str(n)) + len(rest) != n:
            n += 1
        out += b'%d' % n + rest
    return Member('PaxHeader', out, kind=b'x').bytes()


def sums(members):
    return b''.join(b'%s  %s\n' % (xxh3(m.data).encode(), m.name)
                    for m in members)


def tar(members, checksums=None, end=bytes(1024)):
    """An archive; checksums: the text, or None for the right one, or False
    for no CHECKSUMS."""
    out = b''.join(m.bytes() for m in members)
    if checksums is not False:
        if checksums is None:
            checksums = sums(members)
        out += Member('CHECKSUMS', checksums).bytes()
    return out + end


ST_HEADER = st()[:-38]
CONFIG = b'{"architectures":["LlamaForCausalLM"]}\n'
FILES = [('.source/header', ST_HEADER), ('config.json', CONFIG)]
TENSORS = [('a.weight', 'F32', [2, 4], A), ('b.weight', 'F16', [3], B)]


def file_name(name):
    return 'files/' + (name if name.startswith('.source/') else escaped(name))


def manifest(files=None, tensors=None, source='safetensors',
             convention='hf'):
    files = FILES if files is None else files
    tensors = TENSORS if tensors is None else tensors
    return {'apr_stream': 1, 'source': source, 'convention': convention,
            'files': [{'name': n, 'bytes': len(d)} for n, d in files],
            'history': [{'tool': 'apr-cat', 'version': '0.1',
                         'options': {}}],
            'metadata': {'format': 'pt'},
            'tensors': [{'name': t[0], 'dtype': t[1], 'shape': t[2],
                         'bytes': len(t[3]), **(t[4] if len(t) > 4 else {})}
                        for t in tensors]}


def members(man=None, files=None, tensors=None, tail=None):
    """The members of a stream, without CHECKSUMS; man is the manifest as
    bytes, as an object, or a function that changes the right one."""
    files = FILES if files is None else files
    tensors = TENSORS if tensors is None else tensors
    if man is None or callable(man):
        right = manifest(files, tensors)
        changed = man(right) if man else None
        man = changed if isinstance(changed, bytes) else right
    if not isinstance(man, bytes):
        man = compact(man)
    out = [Member('manifest.json', man)]
    out += [Member(file_name(n), d) for n, d in files]
    out += [Member('tensors/' + escaped(t[0]), t[3]) for t in tensors]
    if tail is not None:
        out.append(Member('tail.json', tail))
    return out


def zstd_frame(data):
    """A zstd frame of stored blocks."""
    out = b'\x28\xb5\x2f\xfd' + b'\xa0' + struct.pack('<I', len(data))
    step = 4096
    for i in range(0, len(data), step):
        part = data[i:i + step]
        last = i + step >= len(data)
        out += struct.pack('<I', len(part) << 3 | last)[:3] + part
    return out


def marks_stream():
    """The stream of good-tied.apr: every mark that an entry may have."""
    model, entries = tied()
    head = model[:len(model) - 4 - sum(up(len(e[3]), 64) for e in entries)]
    names = {F32: 'F32', Q4K: 'Q4_K', APRQ4: 'apr_q4', APRQ8: 'apr_q8'}
    marks = {'model.k.weight': {'row_bytes': 288},
             'model.q4.weight': {'blocks': 'flat'}}
    files = [('.source/header', head)]
    tensors = [('lm_head.weight', 'F32', [2, 4], b'', {'tied_to': EMBED})]
    tensors += [(n, names[c], s, d, marks.get(n, {}))
                for n, c, s, d in entries]
    man = manifest(files, tensors, 'apr', 'apr')
    man['metadata'] = json.loads(TIED_META)
    return man, files, tensors


def make_stream():
    plain = members()
    g = tar(plain)
    good('good.tar', g)
    good('good.tar.zst', zstd_frame(g))
    good('good-tail.tar', tar(members(tail=b'{"padding":26}')))
    man, mfiles, mtensors = marks_stream()
    good('good-marks.tar', tar(members(man, mfiles, mtensors)))
    plan = manifest()
    plan['plan'] = True
    good('good-plan.tar', tar(members(plan, tensors=[])))
    names = [('a/../\u00e9 %', 'F32', [2, 4], A),
             ('.hidden', 'F16', [3], B)]
    good('good-names.tar', tar(members(tensors=names)))
    repacked = [Member('./' + m.name.decode(), m.data) for m in plain]
    repacked.insert(1, Member('./files/', kind=b'5'))
    repacked.insert(4, Member('./tensors/', kind=b'5'))
    good('good-repacked.tar', b''.join(m.bytes() for m in repacked) +
         Member('./CHECKSUMS', sums(plain)).bytes() + bytes(1024 + 7168))

    def p(name, why, fragment, data):
        bad('stream/' + name, why, fragment, data)

    def man_(name, why, fragment, change):
        p(name, why, fragment, tar(members(change)))

    def key(where, **values):
        """A change of one object of the manifest."""
        def change(m):
            thing = m
            for step in where:
                thing = thing[step]
            for k, v in values.items():
                if v is None:
                    del thing[k]
                else:
                    thing[k] = v
        return change

    def text(old, new):
        def change(m):
            t = compact(m)
            assert t.count(old) == 1, old
            return t.replace(old, new)
        return change

    def swap(at, *new):
        out = list(plain)
        out[at:at + 1] = new
        return out

    ta, tb, first = ('tensors', 0), ('tensors', 1), plain[0]
    MA, MB = 3, 4       # places of the tensors in plain

    # not a stream
    p('empty', 'no bytes at all', 'empty', b'')
    p('zeros', 'an archive of no members: zeros alone', 'manifest',
      bytes(10240))
    p('text', 'text, no archive', 'not a', b'this is not an archive\n' * 40)
    p('gzip.tar.gz', 'compressed with gzip', 'not a',
      gzip.compress(g, 9, mtime=0))
    p('bzip2.tar.bz2', 'compressed with bzip2', 'not a', bz2.compress(g))
    p('xz.tar.xz', 'compressed with xz', 'not a', lzma.compress(g))
    box = io.BytesIO()
    with zipfile.ZipFile(box, 'w') as z:
        for m in plain + [Member('CHECKSUMS', sums(plain))]:
            z.writestr(zipfile.ZipInfo(m.name.decode(), (1980, 1, 1, 0, 0, 0)),
                       m.data)
    p('zip.zip', 'the same members in a zip archive', 'not a', box.getvalue())
    cpio = b''
    for m in plain + [Member('CHECKSUMS', sums(plain)),
                      Member('TRAILER!!!', b'')]:
        cpio += b'070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o' % (
            0, 0, 0o100644, 0, 0, 1, 0, 0, len(m.name) + 1, len(m.data))
        cpio += m.name + b'\0' + m.data
    p('cpio.cpio', 'the same members in a cpio archive', 'not a', cpio)
    z = zstd_frame(g)
    p('zstd-cut.tar.zst', 'a zstd frame that ends early', 'zstd', z[:-600])
    p('zstd-cut-header.tar.zst', 'a zstd frame that ends in its header',
      'zstd', z[:6])
    p('zstd-bad.tar.zst', 'a zstd frame with a block of reserved type',
      'zstd', put(z, 9, bytes([z[9] | 6])))

    # the manifest
    p('manifest-absent', 'no manifest', 'manifest', tar(plain[1:]))
    p('manifest-second', 'a file stands before the manifest', 'manifest',
      tar([plain[1], first] + plain[2:]))
    p('manifest-last', 'the manifest stands behind the tensors', 'manifest',
      tar(plain[1:] + [first]))
    p('manifest-twice', 'the manifest is there twice', 'twice',
      tar([first, first] + plain[1:], sums(plain)))
    p('manifest-2e40', 'a manifest of 2^40 bytes', 'manifest',
      Member('manifest.json', first.data, size=1 << 40).bytes())
    man_('manifest-empty', 'a manifest of no bytes', 'JSON', lambda m: b' ')
    man_('manifest-not-json', 'the manifest is not JSON', 'JSON',
         lambda m: b'apr_stream: 1')
    man_('manifest-cut', 'the manifest lacks its last }', 'JSON',
         lambda m: compact(m)[:-1])
    man_('manifest-two', 'two objects in the manifest', 'JSON',
         lambda m: compact(m) + compact(m))
    man_('manifest-array', 'the manifest is an array', 'object',
         lambda m: b'[' + compact(m) + b']')
    man_('manifest-deep', 'the manifest is nested 6000 deep', 'deep',
         lambda m: b'{"x":' + deep(6000) + b',' + compact(m)[1:])
    man_('manifest-not-utf8', 'a string in the manifest is not UTF-8',
         'UTF-8', text(b'"format":"pt"', b'"format":"p\xfft"'))
    man_('version-absent', 'no apr_stream', 'apr_stream',
         key((), apr_stream=None))
    man_('version-2', 'apr_stream is 2', 'apr_stream', key((), apr_stream=2))
    man_('version-string', 'apr_stream is a string', 'apr_stream',
         key((), apr_stream='1'))
    man_('tensors-absent', 'no tensors in the manifest, but members',
         'tensors/a.weight', key((), tensors=None))
    man_('tensors-object', 'tensors is an object', 'tensors',
         lambda m: m.update(tensors={t['name']: t for t in m['tensors']}))
    man_('tensors-number', 'an entry of tensors is a number', 'tensors',
         lambda m: m['tensors'].append(7))

    # entries
    man_('name-absent', 'an entry without a name', 'name',
         lambda m: m['tensors'].append({'dtype': 'F32', 'shape': [0],
                                        'bytes': 0}))
    p('name-empty', 'a name of no bytes', 'empty name',
      tar(members(tensors=[TENSORS[0], ('',) + TENSORS[1][1:]])))
    p('name-not-utf8', 'a name is not UTF-8', 'UTF-8',
      tar([Member('manifest.json', text(b'"b.weight"', b'"b\xff"')(
              manifest()))] +
          swap(MB, Member('tensors/b%FF', B))[1:]))
    p('name-surrogate', 'a lone surrogate in a name', 'surrogate',
      tar([Member('manifest.json', text(b'"b.weight"', b'"b\\ud800"')(
          manifest()))] +
          swap(MB, Member('tensors/b%ED%A0%80', B))[1:]))
    man_('name-twice', 'two entries of one name', 'twice',
         key(tb, name='a.weight', dtype='F32', shape=[2, 4], bytes=32))
    man_('name-number', 'a name is a number', 'name', key(tb, name=7))
    man_('dtype-unknown', 'unknown dtype', 'dtype', key(tb, dtype='F17'))
    man_('dtype-gone', 'a dtype that is gone', 'dtype', key(tb, dtype='Q4_2'))
    man_('dtype-absent', 'no dtype', 'dtype', key(tb, dtype=None))
    man_('shape-absent', 'no shape', 'shape', key(tb, shape=None))
    man_('shape-negative', 'negative dimensions whose product is right',
         'shape', key(tb, shape=[-3, -1]))
    man_('shape-fraction', 'dimensions of 1.5 and 2', 'shape',
         key(tb, shape=[1.5, 2]))
    man_('shape-string', 'a dimension is a string', 'shape',
         key(tb, shape=['3']))
    p('shape-wraps', 'shape [7, (3*2^64+1)/7] of I8: 1 modulo 2^64',
      'overflow', tar(members(key(tb, shape=[7, INV7]), tensors=[
          TENSORS[0], ('b.weight', 'I8', [1], b'\1')])))
    p('bytes-wrap', 'shape [2^62+2] of F32: 8 bytes modulo 2^64', 'overflow',
      tar(members(key(tb, shape=[(1 << 62) + 2]), tensors=[
          TENSORS[0], ('b.weight', 'F32', [2], f32(1, 2))])))
    man_('shape-2e64', 'a dimension of 2^64+3', 'overflow',
         key(tb, shape=[M64 + 3]))
    man_('bytes-absent', 'no bytes', 'bytes', key(tb, bytes=None))
    man_('bytes-negative', 'bytes is -1', 'bytes', key(tb, bytes=-1))
    man_('bytes-string', 'bytes is a string', 'bytes', key(tb, bytes='6'))
    p('bytes-shape', 'bytes is not shape x type, the member as long as bytes',
      'bytes', tar(members(key(tb, shape=[4]))))
    p('bytes-rows', 'Q8_0 whose rows are no whole blocks, without a mark',
      'b.weight', tar(members(tensors=[
          TENSORS[0], ('b.weight', 'Q8_0', [2, 33], Q8 * 4)])))

    def mark(name, why, fragment, which, **values):
        m = json.loads(compact(man))
        e = [t for t in m['tensors'] if t['name'] == which][0]
        for k, v in values.items():
            if v is None:
                del e[k]
            else:
                e[k] = v
        p(name, why, fragment, tar(members(m, mfiles, mtensors)))

    mark('row-bytes-absent', 'padded rows without row_bytes', 'bytes',
         'model.k.weight', row_bytes=None)
    mark('row-bytes-less', 'row_bytes is 144, the rows take 288', 'row_bytes',
         'model.k.weight', row_bytes=144)
    mark('row-bytes-more', 'row_bytes is 432, and two rows are not 576',
         'row_bytes', 'model.k.weight', row_bytes=432)
    mark('row-bytes-0', 'row_bytes is 0', 'row_bytes',
         'model.k.weight', row_bytes=0)
    mark('row-bytes-2e63', 'row_bytes is 2^63 + 288: 576 for two, modulo '
         '2^64', 'row_bytes', 'model.k.weight', row_bytes=(1 << 63) + 288)
    mark('row-bytes-string', 'row_bytes is a string', 'row_bytes',
         'model.k.weight', row_bytes='288')
    mark('flat-absent', 'flat blocks without their mark', 'bytes',
         'model.q4.weight', blocks=None)
    mark('flat-unknown', 'blocks is "round"', 'blocks',
         'model.q4.weight', blocks='round')
    mark('flat-f32', 'blocks is "flat" on F32', 'blocks', EMBED,
         blocks='flat')
    mark('tied-unknown', 'tied to a tensor that is not there', 'tied',
         'lm_head.weight', tied_to='model.absent.weight')
    mark('tied-itself', 'tied to itself', 'tied', 'lm_head.weight',
         tied_to='lm_head.weight')
    mark('tied-absent', 'an entry of 0 bytes without tied_to', 'bytes',
         'lm_head.weight', tied_to=None)
    mark('tied-number', 'tied_to is a number', 'tied', 'lm_head.weight',
         tied_to=1)
    p('tied-bytes', 'a tied entry that has bytes', 'tied',
      tar(members(tensors=[TENSORS[0], ('c.weight', 'F32', [2, 4], A[:16],
                                        {'tied_to': 'a.weight'})])))
    two = {'shards': ['m-00001-of-00002.safetensors',
                      'm-00002-of-00002.safetensors']}
    shard_files = [
        ('.source/header.00001', st('{"a.weight":{"dtype":"F32",'
         '"shape":[2,4],"data_offsets":[0,32]}}', b'')),
        ('.source/header.00002', st('{"b.weight":{"dtype":"F16",'
         '"shape":[3],"data_offsets":[0,6]}}', b''))]

    def shards(name, why, fragment, a, b):
        m = manifest(shard_files)
        m.update(two)
        m['tensors'][0].update(a)
        m['tensors'][1].update(b)
        data = tar(members(m, shard_files))
        if why:
            p(name, why, fragment, data)
        else:
            good(name, data)

    shards('good-shards.tar', None, None, {'shard': 1}, {'shard': 2})
    shards('shard-0', 'shard is 0', 'shard', {'shard': 0}, {'shard': 2})
    shards('shard-3', 'shard 3 of 2', 'shard', {'shard': 1}, {'shard': 3})
    shards('shard-negative', 'shard is -1', 'shard', {'shard': 1},
           {'shard': -1})
    shards('shard-2e32', 'shard is 2^32+1', 'shard', {'shard': 1},
           {'shard': (1 << 32) + 1})

    # files
    def files(name, why, fragment, fname, member):
        m = manifest(FILES + [(fname, CONFIG)])
        p(name, why, fragment,
          tar(members(m)[:3] + [Member(member, CONFIG)] + plain[3:]))

    files('file-slash', 'a file whose name has a slash, its member too',
          'name', 'sub/config.json', 'files/sub/config.json')
    files('file-dotdot', 'a file named "..", its member too', 'name', '..',
          'files/..')
    files('file-absolute', 'a file with an absolute name', 'name',
          '/etc/passwd', 'files//etc/passwd')
    files('file-source', 'a file that escapes from .source/', 'name',
          '.source/../../x', 'files/.source/../../x')
    files('file-empty-name', 'a file whose name has no bytes', 'name', '',
          'files/')
    files('file-twice', 'two files of one name', 'twice', 'config.json',
          'files/config.json')
    man_('file-absent', 'a file of the manifest is not there', 'not there',
         lambda m: m['files'].append({'name': 'vocab.json', 'bytes': 5}))
    man_('file-unlisted', 'a file that is not in the manifest',
         'files/config.json', lambda m: m['files'].pop())
    man_('file-size', 'a file of another size than the manifest says',
         'files/config.json', key(('files', 1), bytes=len(CONFIG) + 1))
    man_('file-negative', 'the size of a file is negative', 'bytes',
         key(('files', 1), bytes=-1))
    big = manifest()
    big['files'][1]['bytes'] = 1 << 40
    p('file-2e40', 'a file of 2^40 bytes, in the manifest and in the archive',
      'files/config.json',
      Member('manifest.json', compact(big)).bytes() + plain[1].bytes() +
      Member(plain[2].name, CONFIG, size=1 << 40).bytes())

    # members
    p('member-absent', 'a tensor is not there', 'b.weight', tar(plain[:MB]))
    p('member-none', 'no tensor is there, and it is no plan', 'a.weight',
      tar(plain[:MA]))
    p('member-twice', 'a tensor is there twice', 'twice',
      tar(plain + [plain[MB]], sums(plain)))
    p('member-unknown', 'a member that is not in the manifest', 'c.weight',
      tar(plain + [Member('tensors/c.weight', B)]))
    p('member-elsewhere', 'a member outside files/ and tensors/', 'evil',
      tar(plain + [Member('evil', B)]))
    p('member-short', 'a tensor shorter than the manifest says', 'bytes',
      tar(swap(MB, Member(plain[MB].name, B[:-1]))))
    p('member-long', 'a tensor longer than the manifest says', 'bytes',
      tar(swap(MB, Member(plain[MB].name, B + b'\0'))))
    p('member-empty', 'a tensor of no bytes, the manifest says 6', 'bytes',
      tar(swap(MB, Member(plain[MB].name, b''))))
    slash = [('a/x', 'F32', [2, 4], A), TENSORS[1]]
    p('member-slash', 'a name with a slash, not escaped in its member',
      'tensors/a/x', tar([Member('manifest.json', compact(manifest(
                             tensors=slash)))] + plain[1:3] +
                         [Member('tensors/a/x', A), plain[MB]]))
    dots = [('../x', 'F32', [2, 4], A), TENSORS[1]]
    p('member-dotdot', 'the name ../x, not escaped in its member', '../x',
      tar([Member('manifest.json', compact(manifest(tensors=dots)))] +
          plain[1:3] + [Member('tensors/../x', A), plain[MB]]))
    p('member-absolute', 'a member with an absolute name', '/tensors',
      tar(swap(MB, Member('/tensors/b.weight', B))))
    p('member-escaped', 'a member that escapes what needs none', '%62',
      tar(swap(MB, Member('tensors/%62.weight', B))))
    lower = [('\u00e9', 'F32', [2, 4], A), TENSORS[1]]
    p('member-lower', 'a member escaped with small letters', '%c3',
      tar([Member('manifest.json', compact(manifest(tensors=lower)))] +
          plain[1:3] + [Member('tensors/%c3%a9', A), plain[MB]]))
    p('member-pax-path', 'a pax header gives a tensor another name', 'evil',
      tar(swap(MB, Member('tensors/b.weight', B,
                          before=pax(path=b'tensors/evil')))))
    for kind, name, what in ((b'1', 'hardlink', 'a hard link'),
                             (b'2', 'symlink', 'a symbolic link'),
                             (b'3', 'chardev', 'a character device'),
                             (b'4', 'blockdev', 'a block device'),
                             (b'5', 'directory', 'a directory'),
                             (b'6', 'fifo', 'a FIFO')):
        link = b'files/config.json' if kind in b'12' else b''
        p('member-' + name, what + ' in place of a tensor',
          'tensors/b.weight',
          tar(swap(MB, Member('tensors/b.weight', B, body=b'', kind=kind,
                              link=link))))
    p('manifest-symlink', 'the manifest is a symbolic link', 'manifest',
      tar([Member('manifest.json', first.data, body=b'', kind=b'2',
                  link=b'/etc/passwd')] + plain[1:]))
    hole = B[:4] + bytes(2)
    p('member-gnu-sparse', 'a tensor as a GNU sparse entry, with a hole',
      'tensors/b.weight',
      tar(swap(MB, Member('tensors/b.weight', hole, body=B[:4], kind=b'S',
                          fields=(
          (257, b'ustar  \0'), (345, bytes(41)),
          (386, b'00000000000\0' + b'00000000004\0'),
          (483, b'00000000006\0'))))))
    p('member-pax-sparse', 'a tensor as a pax sparse entry, with a hole',
      'tensors/b.weight',
      tar(swap(MB, Member('tensors/b.weight', hole, body=b'1\n0\n4\n' +
                          bytes(506) + B[:4], before=pax(
                              GNU__sparse__major=b'1',
                              GNU__sparse__minor=b'0',
                              GNU__sparse__name=b'tensors/b.weight',
                              GNU__sparse__realsize=b'6')))))
    p('member-2e60', 'the tar header of a tensor says 2^60 bytes', 'bytes',
      b''.join(m.bytes() for m in plain[:MB]) +
      Member('tensors/b.weight', B, size=1 << 60).bytes())
    huge = manifest()
    huge['tensors'][1].update(dtype='I8', shape=[1 << 60], bytes=1 << 60)
    p('tensor-2e60', 'a tensor of 2^60 bytes, in manifest and tar header, '
      'and few bytes', 'end',
      Member('manifest.json', compact(huge)).bytes() +
      b''.join(m.bytes() for m in plain[1:MB]) +
      Member('tensors/b.weight', B, size=1 << 60).bytes())
    p('member-negative', 'the tar header of a tensor says -1 bytes',
      'tensors/b.weight',
      tar(swap(MB, Member('tensors/b.weight', B, size=b'\xff' * 12))))
    p('member-header-sum', 'wrong checksum of a tar header', 'tar',
      tar(swap(MB, Member('tensors/b.weight', B, damage=True))))

    # a source's header that apr-pack would write as it is
    head = apr(EA + entry('b.weight', F16, [3], 26, 6))[:320]
    own = manifest()
    own.update(source='apr', convention='apr',
               files=[{'name': '.source/header', 'bytes': len(head)}])
    p('header-overlap', 'in the source\'s header, two tensors share bytes',
      'inside', tar([Member('manifest.json', compact(own)),
                     Member('files/.source/header', head)] + plain[MA:]))

    # plans
    p('plan-tensors', 'a plan that has tensors', 'plan',
      tar(members(key((), plan=True))))
    p('plan-no-checksums', 'a plan without CHECKSUMS', 'CHECKSUMS',
      tar(members(plan, tensors=[]), False))
    p('plan-string', 'plan is a string', 'plan',
      tar(members(key((), plan='yes'))))

    # tail.json
    for name, why, raw in (
            ('not-json', 'tail.json is not JSON', b'padding: 26'),
            ('number', 'tail.json is a number', b'26'),
            ('negative', 'padding is negative', b'{"padding":-1}'),
            ('fraction', 'padding is 1.5', b'{"padding":1.5}'),
            ('string', 'padding is a string', b'{"padding":"26"}'),
            ('footer', 'footer is a number', b'{"footer":1}')):
        p('tail-' + name, why, 'tail.json', tar(members(tail=raw)))
    p('tail-2e40', 'a tail.json of 2^40 bytes', 'tail.json',
      b''.join(m.bytes() for m in plain) +
      Member('tail.json', b'{}', size=1 << 40).bytes())

    # CHECKSUMS and the end
    right = sums(plain)
    lines = right.splitlines(True)

    def check(name, why, fragment, raw):
        p('checksums-' + name, why, fragment, tar(plain, raw))

    check('absent', 'no CHECKSUMS: the stream is truncated', 'CHECKSUMS',
          False)
    check('empty', 'CHECKSUMS of no bytes', 'CHECKSUMS', b'')
    check('line-absent', 'no line for a tensor', 'b.weight',
          b''.join(lines[:-1]))
    check('manifest-absent', 'no line for the manifest', 'manifest.json',
          b''.join(lines[1:]))
    check('line-more', 'a line for a member that is not there', 'c.weight',
          right + b'%s  tensors/c.weight\n' % xxh3(B).encode())
    check('line-twice', 'a line is there twice', 'twice',
          right + lines[-1])
    check('itself', 'a line for CHECKSUMS itself', 'CHECKSUMS',
          right + b'%s  CHECKSUMS\n' % xxh3(right).encode())
    check('wrong', 'a wrong sum', 'b.weight',
          b''.join(lines[:-1]) + xxh3(A).encode() + lines[-1][32:])
    check('swapped', 'the sums of two tensors are exchanged', 'weight',
          b''.join(lines[:-2]) + lines[-1][:32] + lines[-2][32:] +
          lines[-2][:32] + lines[-1][32:])
    check('hex', 'a sum that is not hexadecimal', 'CHECKSUMS',
          b''.join(lines[:-1]) + b'g' + lines[-1][1:])
    check('short', 'sums of 16 digits', 'CHECKSUMS',
          b''.join(x[16:] for x in lines))
    check('blank', 'one blank before a name', 'CHECKSUMS',
          b''.join(lines[:-1]) + lines[-1].replace(b'  ', b' '))
    check('name-cut', 'the last name is cut short', 'CHECKSUMS',
          right[:-3] + b'\n')
    check('binary', 'CHECKSUMS is not text', 'CHECKSUMS', bytes(range(256)))
    p('checksums-data', 'a bit of a tensor flipped, CHECKSUMS as before',
      'a.weight', tar(swap(MA, Member('tensors/a.weight', put(
          A, 2, bytes([A[2] ^ 1])))), right))
    p('checksums-manifest', 'the manifest changed, CHECKSUMS as before',
      'manifest.json', tar(members(text(b'"pt"', b'"tf"')), right))
    p('checksums-twice', 'CHECKSUMS is there twice', 'CHECKSUMS',
      tar(plain + [Member('CHECKSUMS', right)], right))
    p('checksums-early', 'a tensor behind CHECKSUMS', 'CHECKSUMS',
      b''.join(m.bytes() for m in plain[:MB]) +
      Member('CHECKSUMS', right).bytes() + plain[MB].bytes() + bytes(1024))
    p('checksums-2e40', 'CHECKSUMS of 2^40 bytes', 'CHECKSUMS',
      b''.join(m.bytes() for m in plain) +
      Member('CHECKSUMS', right, size=1 << 40).bytes())
    p('behind', 'bytes behind the end', 'behind', g + b'bytes behind end')
    p('behind-far', 'a byte behind 16 KiB of zeros behind the end', 'behind',
      g + bytes(16384) + b'\n')
    p('second-stream', 'two streams, one behind the other', 'behind', g + g)
    p('second-stream-no-end', 'two streams, no zeros between them', 'behind',
      g[:-1024] + g)

    # truncated
    at = 0
    for m, what in zip(plain, ('manifest', 'header', 'config', 'a', 'b')):
        n = len(m.bytes())
        if what in ('manifest', 'a'):
            p('cut-%s-header' % what, 'ends inside a tar header',
              'end', g[:at + 200])
            p('cut-%s-data' % what, 'ends inside the data of a member',
              'end', g[:at + 512 + 20])
            p('cut-%s-padding' % what, 'ends in the padding of a member',
              'end', g[:at + n - 10])
            p('cut-%s' % what, 'ends between two members', 'end', g[:at + n])
        at += n
    p('cut-checksums-header', 'ends inside the tar header of CHECKSUMS',
      'end', g[:at + 300])
    p('cut-checksums', 'ends inside CHECKSUMS', 'end', g[:at + 512 + 40])
    p('cut-checksums-line', 'ends behind the first line of CHECKSUMS', 'end',
      g[:at + 512 + len(lines[0])])


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else \
        os.path.dirname(os.path.abspath(__file__))
    make_apr()
    make_gguf()
    make_safetensors()
    make_stream()
    make_torch(bad)
    make_npz(bad)
    kept, found = {}, []  # found: by a fuzzer, files that are not made here
    listing = os.path.join(top, 'list')
    if os.path.exists(listing):
        with open(listing, encoding='utf-8') as f:
            for line in f:
                part = line.rstrip('\n').split('\t')
                if len(part) == 3 and part[2]:
                    kept[part[0]] = part[2]
                if part[0] not in BAD and os.path.exists(os.path.join(top, part[0])):
                    found.append(line)
    wanted = {'good/' + n: d for n, d in GOOD.items()}
    wanted.update((n, d) for n, (_, _, d) in BAD.items())
    for folder in ('good', *EXT):
        path = os.path.join(top, folder)
        os.makedirs(path, exist_ok=True)
        for name in os.listdir(path):
            if folder + '/' + name not in wanted:
                print('not mine: %s/%s' % (folder, name), file=sys.stderr)
    for name, data in wanted.items():
        assert len(data) <= 65536, (name, len(data))
        with open(os.path.join(top, name), 'wb') as f:
            f.write(data)
    with open(listing, 'w', encoding='utf-8') as f:
        for name, (why, fragment, _) in BAD.items():
            f.write('%s\t%s\t%s\n' % (name, why, kept.get(name, fragment)))
        f.writelines(found)
    for folder in EXT:
        print(folder, sum(n.startswith(folder + '/') for n in BAD))
    print('good', len(GOOD), 'bytes', sum(map(len, wanted.values())))


if __name__ == '__main__':
    main()
