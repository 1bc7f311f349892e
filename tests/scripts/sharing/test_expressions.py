# SPDX-License-Identifier: Apache-2.0
"""Expressions of configs: what computes passes, what could run or read anything else is refused."""

import pytest

from tomobundles.scripts.sharing.expressions import is_import, why_not_expression, why_not_import

ALLOWED = """
@output_dir + '/models'
@bundle_root + '/output/' + @variant + '/models'
'bundles/ich' if os.path.isdir('bundles/ich') else '.'
torch.device('cuda' if torch.cuda.is_available() else 'cpu')
torch.device('cuda:' + os.environ['LOCAL_RANK'])
int(os.environ.get('LOCAL_RANK', '0')) > 0
@device.type == 'cuda'
[p for p in @network.parameters() if p.requires_grad]
@network_def.to(device=@device, memory_format=torch.channels_last)
@train#deterministic_transforms + @train#random_transforms + [@train#select]
@#above::below + @##further
max(1, @batch_size // len(@windows)) % 3
sorted({*@train_axes, *@inference_axes}, reverse=True)
None if @normalize else @intensity['mean']
not @a and (@b or -@c < 2) is not None
@preprocessing.transforms[1:3]
{'a': 1, **@b}
dict(x=@y)
{k: v for k, v in @table.items()}
f"{@variant}_{@epochs:03d}"
@train#trainer.run()
@data[@section]
[a + b for a, b in @pairs]
os.environ['RANK']
idist.get_rank() > 0
"""

REFUSED = {
    "eval('1')": "calls eval",
    "exec('1')": "calls exec",
    "open('LICENSE')": "calls open",
    "__import__('os')": "calls __import__",
    "getattr(@x, 'y')": "calls getattr",
    "vars()": "calls vars",
    "globals": "names globals",
    "print(1)": "calls print",
    "map(@f, @x)": "calls map",
    "max(@x, key=@f)": "calls max with key",
    "sorted(**@x)": "calls sorted with None",
    "os.system('ls')": "calls os.system",
    "os.environ": "reads os.environ",
    "os": "names os",
    "os.path.join(*[os])": "names os",
    "os.path.os.system('ls')": "calls os.path.os.system",
    "subprocess.run('ls')": "calls subprocess.run",
    "torch.load('models/model.pt')": "calls torch.load",
    "torch.hub.load('a', 'b')": "calls torch.hub.load",
    "torch.jit.load('a')": "calls torch.jit.load",
    "torch.os": "reads torch.os",
    "monai.bundle.download('x')": "calls monai.bundle.download",
    "np.load('x', allow_pickle=True)": "calls np.load",
    "pickle.loads(@x)": "calls pickle.loads",
    "().__class__": "attribute __class__",
    "@x.__init__.__globals__['os']": "attribute __globals__",
    "@x._private": "attribute _private",
    "(1 for _ in @x).gi_frame": "attribute gi_frame",
    "@x.os.system('ls')": "method system",
    "@x.load('y')": "method load",
    "'{0.__class__}'.format(@x)": "method format",
    'f"{@x.__class__}"': "attribute __class__",
    "f'{eval(1)}'.get(1)": "method get",
    "@x[eval('1')]": "calls eval",
    "@x['f']('ls')": "calls what an expression gives",
    "(lambda: 1)()": "calls what an expression gives",
    "lambda: 1": "holds a Lambda",
    "[len('ls') for len in @x]": "binds the name len",
    "[f('ls') for f in @x]": "calls f",
    "[_y for _y in @x]": "binds the name _y",
    "[os for os in @x]": "binds the name os",
    "(y := 1)": "holds a NamedExpr",
    "9 ** 9 ** 9": "holds a Pow",
    "1 << 999999": "holds a LShift",
    "@imports#0.system('ls')": "refers to the imports",
    "@imports": "refers to the imports",
    "@": "an @ without an id",
    "__local_refs['x']": "names __local_refs",
    "os.path.isdir('/etc')": "an absolute path",
    "'/etc' + '/passwd'": "an absolute path",
    "'' + '/etc/passwd'": "an absolute path",
    "@a + '//host/share'": "an absolute path",
    "['C:/x']": "an absolute path",
    "'~'": "home",
    "'https://x.org' + @x": "an address",
    "@x +": "no Python expression",
    "x = 1": "no Python expression",
    "import os; os.system('ls')": "no Python expression",
    "'@x'": "no Python expression",
    "1\0": "no Python expression",
    "(" * 400: "no Python expression",
    "1 + " * 400 + "1": "longer than",
    "@###x": "no Python expression",
    "await @x": "no Python expression|Await",
    "_\uff3flocal_refs[eval('1')]": "beyond ASCII",  # a wide "_": Python reads __local_refs
    "@x.multiprocessing_context.reducer.sys.modules['subprocess'].run(['ls'])": "attribute modules",
    "@x.sys": "attribute sys",
    "[0 for np in ()] or np.lib.format": "binds the name np",
    "[0 for monai in ()] or monai": "binds the name monai",
    "[0 for eval in ()] or eval": "binds the name eval",
    "[0 for @x['y'] in [1]]": "assigns to more than a name",
    "[0 for @x.shape in [1]]": "assigns to more than a name",
    "[0 for os.environ['RANK'] in ['1']]": "assigns to more than a name",
    "os.path.isfile(b'/etc')": "holds bytes",
    "os.environ['HOME'] + '/.ssh'": "reads more of os.environ",
    "os.environ.get('HOME')": "reads more of os.environ",
    "os.environ.get(*@x)": "reads more of os.environ",
    "os.environ[@x]": "reads more of os.environ",
    "os.environ.get(key='HOME')": "reads more of os.environ",
    "@output_dir + '/../../x'": "leads upwards",
}


@pytest.mark.parametrize("text", ALLOWED.strip().splitlines())
def test_what_computes_passes(text):
    assert why_not_expression(f"${text}", place="a::b::c") is None


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=lambda text: ascii(text)[:40])
def test_what_could_do_more_is_refused(text, reason):
    found = why_not_expression(f"${text}", place="a")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found)


def test_there_are_many_hostile_expressions():
    assert len(REFUSED) >= 25


@pytest.mark.parametrize("text", ["$import os", "$import torch", "$import torch.distributed as dist"])
def test_imports_of_the_table_pass(text):
    assert is_import(text)
    assert why_not_import(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$import subprocess", "imports subprocess as subprocess"),
        ("$import os as len", "imports os as len"),
        ("$import os, sys", "is not one"),
        ("$import os; os.system('ls')", "is not one"),
        ("$from os import system", "is not one"),
        ("$from os import system as len", "is not one"),
        ("$import torch.distributed", "imports torch.distributed as torch.distributed"),
        ("$import", "is no Python"),
    ],
)
def test_other_imports_are_refused(text, reason):
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(why_not_import(text))


@pytest.mark.parametrize("text", ["import os", "$@important", "$'import' + @x", "$import", "$os"])
def test_what_is_no_import(text):
    assert not is_import(text)
