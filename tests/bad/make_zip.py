# SPDX-License-Identifier: MIT
"""Bad zip archives for make.py: PyTorch's checkpoints and NumPy's .npz, each
wrong in one way; the pickles are written by hand."""
import struct
import zlib


class Entry:
    """One file of an archive; what is given overrides what would be right."""

    def __init__(self, name, data, method=0, crc=None, size=None, packed=None,
                 flags=0, local=None, at=None, extra=b''):
        self.name = name if isinstance(name, bytes) else name.encode()
        if method == 8:
            c = zlib.compressobj(9, zlib.DEFLATED, -15)
            self.stored = c.compress(data) + c.flush()
        else:
            self.stored = data
        self.method, self.flags, self.at, self.extra = method, flags, at, extra
        self.crc = zlib.crc32(data) if crc is None else crc
        self.size = len(data) if size is None else size
        self.packed = len(self.stored) if packed is None else packed
        self.local = self.name if local is None else local


def zip_of(*entries, count=None, size=None, start=None, disk=0, comment=b'', end=True,
           behind=b'', large=None):
    """The archive; start: where its end says that the directory is."""
    out, central = b'', b''
    for e in entries:
        at = len(out) if e.at is None else e.at
        out += struct.pack('<4sHHHHHIIIHH', b'PK\3\4', 20, e.flags, e.method, 0, 33, e.crc,
                           e.packed, e.size, len(e.local), 0) + e.local + e.stored
        central += struct.pack('<4sHHHHHHIIIHHHHHII', b'PK\1\2', 20, 20, e.flags, e.method, 0,
                               33, e.crc, e.packed, e.size, len(e.name), len(e.extra), 0, 0, 0,
                               0, at) + e.name + e.extra
    where = len(out) if start is None else start
    out += central
    if large is not None:
        out += large(len(out), len(entries), len(central), where)
    if end:
        out += struct.pack('<4sHHHHIIH', b'PK\5\6', disk, 0, len(entries),
                           len(entries) if count is None else count,
                           len(central) if size is None else size, where,
                           len(comment)) + comment
    return out + behind


# ------------------------------------------------------------------- pickles

def uni(s):
    s = s if isinstance(s, bytes) else s.encode()
    return b'X' + struct.pack('<I', len(s)) + s


def num(n):
    if 0 <= n < 256:
        return b'K' + bytes([n])
    if -1 << 31 <= n < 1 << 31:
        return b'J' + struct.pack('<i', n)
    return b'\x8a\x09' + struct.pack('<q', n & ((1 << 63) - 1)) + b'\0' if n >= 1 << 63 else \
        b'\x8a\x08' + struct.pack('<q', n)


def glob(module, name):
    return b'c' + module.encode() + b'\n' + name.encode() + b'\n'


def tup(*items):
    return b'(' + b''.join(items) + b't'


def storage(key='0', n=8, kind='FloatStorage', module='torch', tag='storage'):
    return tup(uni(tag), glob(module, kind), uni(key), uni('cpu'), num(n)) + b'Q'


ORDERED = glob('collections', 'OrderedDict') + b')R'
REBUILD = glob('torch._utils', '_rebuild_tensor_v2')


def tensor(store=None, offset=0, size=(2, 4), stride=(4, 1), f=REBUILD, more=b''):
    sizes = [b'(' + b''.join(num(d) for d in s) + b't' for s in (size, stride)]
    return f + tup(store or storage(), num(offset), *sizes, b'\x89', ORDERED, more) + b'R'


def state(*pairs):
    return ORDERED + b'(' + b''.join(uni(k) + v for k, v in pairs) + b'u'


def pkl(body):
    return b'\x80\x02' + body + b'.'


A = struct.pack('<8f', 1, 2, 0.5, -0.5, 4, -2, 0.25, 8)


def torch(body=None, data=A, key='0', more=(), first=None, **how):
    body = pkl(state(('a.weight', tensor()))) if body is None else body
    return zip_of(first or Entry('archive/data.pkl', body), Entry('archive/data/' + key, data),
                  Entry('archive/version', b'3\n'), *more, **how)


def make_torch(bad):
    def p(name, why, data, fragment=''):
        bad('torch/' + name + '.pt', why, fragment, data)

    def one(**kw):
        return torch(pkl(state(('a.weight', tensor(**kw)))))

    g = torch()
    for name, at in (('cut-magic', 4), ('cut-pickle', 60), ('cut-data', 260),
                     ('cut-directory', len(g) - 60), ('cut-end', len(g) - 1)):
        p(name, 'the first %d bytes' % at, g[:at])
    p('behind', 'a byte behind the end', torch(behind=b'x'))
    p('no-pickle', 'no data.pkl', zip_of(Entry('archive/data/0', A)))
    p('no-storage', 'no data/0', zip_of(Entry('archive/data.pkl',
                                              pkl(state(('a.weight', tensor()))))))
    p('script', 'a TorchScript archive', torch(more=[Entry('archive/constants.pkl', b'')]))
    p('big-endian', 'byteorder is big', torch(more=[Entry('archive/byteorder', b'big')]))
    p('old', 'from before PyTorch 1.6', b'\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50'
      b'\x19.' + bytes(60))
    p('storage-packed', 'a storage is deflated',
      zip_of(Entry('archive/data.pkl', pkl(state(('a.weight', tensor())))),
             Entry('archive/data/0', A, method=8)))
    p('storage-crc', 'a storage has another sum',
      zip_of(Entry('archive/data.pkl', pkl(state(('a.weight', tensor())))),
             Entry('archive/data/0', A, crc=0xdeadbeef)))
    p('pickle-crc', 'data.pkl has another sum',
      torch(first=Entry('archive/data.pkl', pkl(state(('a.weight', tensor()))), crc=1)))
    # The pickle names what is no tensor.
    p('system', 'os.system', torch(pkl(glob('os', 'system') + tup(uni('true')) + b'R')))
    p('eval', 'builtins.eval', torch(pkl(glob('builtins', 'eval') + tup(uni('1')) + b'R')))
    p('getattr', 'builtins.getattr by STACK_GLOBAL',
      torch(b'\x80\x04' + b'\x8c\x08builtins\x8c\x07getattr\x93' + b')R.'))
    p('reduce-no-function', 'a call of a string', torch(pkl(uni('x') + b')R')))
    p('reduce-type', 'a call of a type', torch(pkl(glob('torch', 'FloatStorage') + b')R')))
    p('build', 'attributes of a tensor', torch(pkl(tensor() + b'}b')))
    p('inst', 'opcode i', torch(pkl(b'(ios\nsystem\n')))
    p('newobj', 'opcode NEWOBJ', torch(pkl(glob('collections', 'OrderedDict') + b')\x81')))
    p('ext', 'opcode EXT1', torch(pkl(b'\x82\x01')))
    p('protocol-0', 'protocol 0', torch(b'(dp0\n.'))
    p('protocol-9', 'protocol 9', torch(b'\x80\x09}.'))
    # Its machine.
    p('stack-empty', 'a tuple of nothing', torch(pkl(b'\x85')))
    p('mark-missing', 'a tuple without a mark', torch(pkl(b't')))
    p('two-values', 'two values at the end', torch(pkl(b'}}')))
    p('memo-missing', 'a memo that is not there', torch(pkl(b'h\x07')))
    p('memo-gap', 'a memo of 2^32-1', torch(pkl(b'}r\xff\xff\xff\xff')))
    p('string-length', 'a string of 2^32-1 bytes', torch(pkl(b'X\xff\xff\xff\xffa')))
    p('string-length-64', 'a string of 2^64-1 bytes', torch(pkl(b'\x8d' + b'\xff' * 8 + b'a')))
    p('string-not-utf8', 'a name that is not UTF-8', torch(pkl(state((b'\xff', tensor())))))
    p('number-long', 'a number of 9 bytes', one(offset=1 << 63))
    p('no-stop', 'no STOP', torch(pkl(state(('a.weight', tensor())))[:-1]))
    p('dict-odd', 'a key without a value', torch(pkl(b'}(' + uni('a') + b'u')))
    p('append-number', 'an item for a number', torch(pkl(b'K\1K\2a')))
    # What it makes.
    p('a-list', 'a list at the top', torch(pkl(b']')))
    p('empty', 'no tensors', torch(pkl(b'}')))
    p('not-tensor', 'a value that is a number', torch(pkl(state(('n', num(5))))))
    p('name-number', 'a name that is a number', torch(pkl(b'}' + num(1) + tensor() + b's')))
    p('name-empty', 'an empty name', torch(pkl(state(('', tensor())))))
    p('twice', 'a name twice', torch(pkl(state(('a', tensor()), ('a', tensor())))))
    p('storage-tag', 'a persistent id of another kind', one(store=storage(tag='module')))
    p('storage-type', 'a storage of an unknown type', one(store=storage(kind='QInt8Storage')))
    p('storage-path', 'a storage called ../x', one(store=storage(key='../x')))
    p('storage-long', 'a storage with a long name', one(store=storage(key='0' * 100)))
    p('dims-9', 'nine dimensions', one(size=(1,) * 9, stride=(1,) * 9))
    p('strides', 'fewer strides than dimensions', one(stride=(1,)))
    p('size-negative', 'a negative dimension', one(size=(2, -4)))
    p('offset-negative', 'a negative offset', one(offset=-1))
    p('beyond', 'one number behind the storage', one(offset=1))
    p('beyond-stride', 'a stride out of the storage', one(stride=(5, 1)))
    p('stride-wraps', 'strides whose sum wraps', one(stride=(1 << 62, 1 << 62), size=(5, 5)))
    p('size-wraps', 'dimensions whose product wraps', one(size=(1 << 62, 4), stride=(4, 1)))
    p('repeats', 'a stride of 0', one(stride=(0, 1)))
    p('v3-no-type', 'a tensor of plain bytes without a type',
      one(f=glob('torch._utils', '_rebuild_tensor_v3'), more=num(1)))
    # The archive.
    p('count-more', 'more entries than there are', torch(count=9))
    p('count-max', '2^16-1 entries', torch(count=65535))
    p('directory-before', 'a directory at 2^32-1', torch(start=0xffffffff))
    p('directory-size', 'a directory of 2^32-1 bytes', torch(size=0xffffffff))
    p('disk', 'the second part of two', torch(disk=1))
    p('large-missing', 'a locator that leads nowhere',
      torch(large=lambda at, *_: struct.pack('<4sIQI', b'PK\6\7', 0, at + 1000, 1)))
    p('large-count', '2^40 entries in a large directory',
      torch(large=lambda at, n, size, where: struct.pack(
          '<4sQHHIIQQQQ', b'PK\6\6', 44, 45, 45, 0, 0, 1 << 40, 1 << 40, size, where) +
          struct.pack('<4sIQI', b'PK\6\7', 0, at, 1)))
    p('encrypted', 'an entry is encrypted',
      torch(more=[Entry('archive/x', b'x', flags=1)]))
    p('method', 'an entry packed by bzip2', torch(more=[Entry('archive/x', b'x', method=12)]))
    p('entry-size', 'an entry of 2^32-2 bytes',
      torch(more=[Entry('archive/x', b'x', size=0xfffffffe, packed=0xfffffffe)]))
    p('entry-size-large', 'an entry whose large length is missing',
      torch(more=[Entry('archive/x', b'x', size=0xffffffff, packed=0xffffffff)]))
    p('entry-place', 'an entry that lies in the directory',
      torch(more=[Entry('archive/x', b'x', at=0xfffffff0)]))
    p('entry-name', 'the header before the bytes has another name',
      torch(more=[Entry('archive/x', b'x', local=b'archive/y')]))
    p('entry-twice', 'two entries with one name', torch(more=[Entry('archive/version', b'4\n')]))
    p('entry-over', 'two entries with the same bytes',
      zip_of(Entry('archive/data.pkl', pkl(state(('a.weight', tensor())))),
             Entry('archive/data/0', A), Entry('archive/data/0', b'', local=b'archive/data/1',
                                               at=0)))
    p('entry-nul', 'an entry with a NUL in its name', torch(more=[Entry(b'archive/\0', b'x')]))


def npy(descr="'<f4'", shape='(2, 4)', fortran='False', data=A, version=b'\1\0', text=None,
        length=None, magic=b'\x93NUMPY'):
    text = ("{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" %
            (descr, fortran, shape)) if text is None else text
    text = text.encode()
    n = len(text) if length is None else length
    return magic + version + struct.pack('<H' if version[0] == 1 else '<I', n) + text + data


def make_npz(bad):
    def p(name, why, data, fragment=''):
        bad('npz/' + name + '.npz', why, fragment, data)

    def one(**kw):
        return zip_of(Entry('a.npy', npy(**kw)))

    g = one()
    for at in (33, 40, 90, 130, len(g) - 30, len(g) - 1):
        p('cut-%d' % at, 'the first %d bytes' % at, g[:at])
    p('other-file', 'a file that is no array', zip_of(Entry('a.npy', npy()), Entry('x.txt', b'')))
    p('name-empty', 'an array without a name', zip_of(Entry('a.npy', npy()), Entry('.npy', npy())))
    p('magic', 'no magic', one(magic=b'\x93NUMPX'))
    p('version-4', 'version 4', one(version=b'\4\0'))
    p('short', 'three bytes', zip_of(Entry('a.npy', b'\x93NU')))
    p('header-length', 'a header of 2^16-1 bytes', one(length=65535))
    p('header-length-2', 'version 2, a header of 2^32-1 bytes', one(version=b'\2\0',
                                                                   length=0xffffffff))
    p('header-list', 'the header is a list', one(text='[1, 2]'))
    p('header-cut', 'the header has no end', one(text="{'descr': '<f4', "))
    p('header-key', 'a key that is not known', one(text="{'descr': '<f4', 'x': 1}"))
    p('header-less', 'no shape', one(text="{'descr': '<f4', 'fortran_order': False}"))
    p('fortran', 'fortran_order is 1', one(fortran='1'))
    p('shape-list', 'a shape that is a list', one(shape='[2, 4]'))
    p('shape-negative', 'a negative dimension', one(shape='(-2, -4)'))
    p('shape-text', 'a dimension that is text', one(shape="('2', 4)"))
    p('shape-9', 'nine dimensions', one(shape='(1,1,1,1,1,1,1,2,4)'))
    p('shape-wraps', 'dimensions whose product wraps', one(shape='(4611686018427387904, 8)'))
    p('shape-2e64', 'a dimension of 2^64', one(shape='(18446744073709551616,)'))
    p('shape-more', 'more numbers than bytes', one(shape='(2, 5)'))
    p('shape-less', 'fewer numbers than bytes', one(shape='(2, 3)'))
    p('object', 'Python objects', one(descr="'|O'"))
    p('big-endian', 'big-endian numbers', one(descr="'>f4'"))
    p('text', 'strings', one(descr="'<U2'"))
    p('records', 'records', one(descr="[('x', '<f4')]"))
    p('complex', 'complex numbers', one(descr="'<c8'"))
    p('crc', 'another sum', zip_of(Entry('a.npy', npy(), crc=7)))
    p('crc-packed', 'another sum of what is packed', zip_of(Entry('a.npy', npy(), 8, crc=7)))
    e = Entry('a.npy', npy(data=A * 40, shape='(80, 4)'), 8)
    e.stored = e.stored[:-9] + b'\xff' * 9
    p('packed-damaged', 'packed bytes that are none', zip_of(e))
    p('packed-more', 'packed bytes hold more', zip_of(Entry('a.npy', npy() + b'x', 8,
                                                           size=len(npy()))))
    p('packed-less', 'packed bytes hold less', zip_of(Entry('a.npy', npy()[:-4], 8,
                                                           size=len(npy()))))
    e = Entry('a.npy', npy(), 8)
    e.stored += b'tail'
    e.packed += 4
    p('packed-behind', 'bytes behind what is packed', zip_of(e))
