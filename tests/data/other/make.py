#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Made the files beside it, with torch 2.15.0 and numpy 2.4.6: checkpoints and
arrays of every kind that is read, some that are refused, and the same numbers
as safetensors.  They are committed; this only says where they come from."""
import collections

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

torch.manual_seed(1)
np.random.seed(1)
base = torch.randn(6, 10)
sd = collections.OrderedDict()
sd['a.weight'] = torch.randn(4, 8)
sd['half'] = torch.randn(3, 5).half()
sd['bf16'] = torch.randn(7).bfloat16()
sd['double'] = torch.randn(2, 2, dtype=torch.float64)
sd['i64'] = torch.arange(5)
sd['i32'] = torch.arange(5, dtype=torch.int32)
sd['i16'] = torch.arange(5, dtype=torch.int16)
sd['i8'] = torch.arange(5, dtype=torch.int8)
sd['u8'] = torch.arange(5, dtype=torch.uint8)
sd['u16'] = torch.arange(4, dtype=torch.int32).to(torch.uint16)
sd['bool'] = torch.tensor([True, False, True])
sd['fp8'] = torch.randn(4, 4).to(torch.float8_e4m3fn)
sd['scalar'] = torch.tensor(3.5)
sd['empty'] = torch.zeros(0, 4)
sd['view.rows'] = base[1:4]
sd['view.columns'] = base[:, 2:7]
sd['view.turned'] = base.t()
sd['view.steps'] = base[::2, 1::3]
sd['turned'] = torch.randn(30, 70).t()
sd['permuted'] = torch.randn(5, 6, 7).permute(2, 0, 1)
sd['shared'] = sd['a.weight']
sd['naïve'] = torch.ones(2)
sd['parameter'] = torch.nn.Parameter(torch.randn(3))
save_file({k: v.detach().clone().contiguous() for k, v in sd.items()}, 'torch.safetensors')
torch.save(sd, 'views.pt')
torch.save(sd, 'protocol4.pt', pickle_protocol=4)
torch.save({'epoch': 3, 'lr': 0.1, 'state_dict': sd, 'optimizer': {'x': [1, 2]}}, 'training.pth')

net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
torch.save(net.state_dict(), 'module.bin')
save_file(net.state_dict(), 'module.safetensors')
torch.save(net, 'whole-module.pt')              # refused: its class would run
torch.jit.save(torch.jit.script(net), 'script.pt')
torch.save(net.state_dict(), 'before-1.6.pt', _use_new_zipfile_serialization=False)
torch.save({'a': torch.ones(3, 1).expand(3, 4)}, 'expanded.pt')

arrays = {
    'f4': np.random.randn(3, 4).astype('<f4'), 'f8': np.random.randn(3),
    'f2': np.random.randn(2, 3).astype('f2'), 'scalar': np.float32(2.5),
    'fortran': np.asfortranarray(np.random.randn(40, 50).astype('f4')),
    'fortran3': np.asfortranarray(np.random.randn(4, 5, 6)),
    'empty': np.zeros((0, 3), 'f4'), 'layer.0.weight': np.random.randn(100, 16).astype('f4'),
    'bool': np.array([True, False]),
}
for t in 'i1 i2 i4 i8 u1 u2 u4 u8'.split():
    arrays[t] = np.arange(5, dtype=t)
np.savez('plain.npz', **arrays)
np.savez_compressed('packed.npz', **arrays)
save_arrays({k: np.array(v, order='C') for k, v in arrays.items()}, 'numpy.safetensors')

# 8-bit floats with a scale for each 128 by 128, as DeepSeek and Qwen publish
# them, and what transformers makes of them.
weight = torch.randn(130, 140)
scale = torch.rand(2, 2) * 0.01 + 0.001
stack = torch.randn(2, 3, 5)
fp8 = {
    'model.layers.0.self_attn.q_proj.weight': weight.to(torch.float8_e4m3fn),
    'model.layers.0.self_attn.q_proj.weight_scale_inv': scale,
    'model.layers.0.mlp.experts.weight': stack.to(torch.float8_e4m3fn),
    'model.layers.0.mlp.experts.weight_scale_inv': torch.rand(2, 1, 1).bfloat16(),
    'a.weight': torch.randn(4, 4).to(torch.float8_e4m3fn),
    'a.weight_scale_inv': torch.tensor(0.5),
    'plain.weight': torch.randn(4, 4).to(torch.float8_e4m3fn),
    'model.norm.weight': torch.randn(8).bfloat16(),
}


def spread(w, s):
    w = w.float()
    if s.dim() == 0:
        return w * s.float()
    s = s.float().repeat_interleave(128, -2).repeat_interleave(128, -1)
    return w * s[..., :w.shape[-2], :w.shape[-1]]


done = {}
for k, v in fp8.items():
    if k.endswith('_scale_inv'):
        continue
    s = fp8.get(k + '_scale_inv')
    done[k] = (spread(v, s) if s is not None else v.float() if 'fp8' not in k else v).bfloat16()
save_file(fp8, 'fp8.safetensors')
save_file(done, 'fp8.bf16.safetensors')

# A Llama of one layer, whose queries are views and whose keys lie transposed.
torch.manual_seed(2)
qk = torch.randn(48, 32).bfloat16()
llama = {'model.embed_tokens.weight': torch.randn(40, 32).bfloat16(),
         'model.norm.weight': torch.randn(32).bfloat16(), 'lm_head.weight': torch.randn(40, 32).bfloat16()}
for k, shape in {'self_attn.v_proj': (16, 32), 'self_attn.o_proj': (32, 32), 'mlp.gate_proj': (64, 32),
                 'mlp.up_proj': (64, 32), 'mlp.down_proj': (32, 64), 'input_layernorm': (32,),
                 'post_attention_layernorm': (32,)}.items():
    llama[f'model.layers.0.{k}.weight'] = torch.randn(shape).bfloat16()
llama['model.layers.0.self_attn.q_proj.weight'] = qk[:32]
llama['model.layers.0.self_attn.k_proj.weight'] = torch.randn(32, 16).bfloat16().t()
torch.save(llama, 'llama.bin')
save_file({k: v.clone().contiguous() for k, v in llama.items()}, 'llama.safetensors')
