# SPDX-License-Identifier: Apache-2.0
"""What a bundle's configs may name and call: the tables of ``tomobundles verify``.

A config is a program: MONAI imports what ``$import`` names, builds what ``_target_`` names and evaluates what
follows a ``$``. The tables hold what training, evaluation and inference need, and nothing that starts
programs, loads pickles or runs code that a config spells out. Components still read and write the files that
their arguments name, and some report to a server; a path is judged where it is written out, not where a
config computes it. What is not in the tables is refused; a config that needs more adds a line here, where a
reader sees it.
"""

from __future__ import annotations

# "$import MODULE" or "$import MODULE as NAME": the name it gives -> the module
IMPORTS = {
    "os": "os",
    "math": "math",
    "torch": "torch",
    "dist": "torch.distributed",
    "idist": "ignite.distributed",
}

# what an expression may call, by the full name it is written with
FUNCTIONS = {
    "os.path.isdir",
    "os.path.isfile",
    "os.path.exists",
    "os.path.join",
    "os.path.basename",
    "os.path.dirname",
    "os.environ.get",
    "os.cpu_count",
    "math.ceil",
    "math.floor",
    "math.sqrt",
    "torch.device",
    "torch.tensor",
    "torch.cuda.is_available",
    "torch.cuda.device_count",
    "torch.cuda.set_device",
    "torch.cuda.is_bf16_supported",
    "torch.distributed.is_initialized",
    "dist.get_rank",
    "dist.get_world_size",
    "dist.is_initialized",
    "dist.is_available",
    "dist.is_nccl_available",
    "idist.get_rank",
    "idist.get_local_rank",
    "idist.get_world_size",
    "idist.device",
}

# what an expression may read
VALUES = {
    "torch.channels_last",
    "torch.channels_last_3d",
    "torch.contiguous_format",
    "torch.float16",
    "torch.bfloat16",
    "torch.float32",
    "torch.float64",
    "torch.int64",
    "torch.uint8",
    "torch.bool",
    "math.pi",
    "math.inf",
}

# what an expression may read of os.environ: one of these entries, never the whole (HOME, tokens)
ENVIRONMENT = {"LOCAL_RANK", "LOCAL_WORLD_SIZE", "RANK", "WORLD_SIZE"}

BUILTINS = {
    "abs",
    "all",
    "any",
    "bool",
    "dict",
    "enumerate",
    "float",
    "int",
    "len",
    "list",
    "max",
    "min",
    "range",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
}
# a "key" would be called: sorted(x, key=f) is f(x)
BUILTIN_KEYWORDS = {"default", "reverse", "start", "strict"}

# methods that an expression may call on what a reference or a comprehension gives
METHODS = {
    "attach",
    "cpu",
    "cuda",
    "eval",
    "extend",
    "get",
    "index",
    "items",
    "keys",
    "modules",
    "named_parameters",
    "parameters",
    "run",
    "set_trainer",
    "state_dict",
    "to",
    "train",
    "values",
}
# attributes that an expression may read of them; any other may lead to a module, and from there anywhere
ATTRIBUTES = {
    "device",
    "dtype",
    "epoch",
    "index",
    "items",
    "metrics",
    "ndim",
    "refused",
    "requires_grad",
    "shape",
    "state",
    "transforms",
    "type",
}

# _target_: classes of MONAI, by their short name or by a name in one of these packages
MONAI_PACKAGES = {
    "monai.data",
    "monai.engines",
    "monai.handlers",
    "monai.inferers",
    "monai.losses",
    "monai.metrics",
    "monai.networks",
    "monai.optimizers",
    "monai.transforms",
    "monai.visualize",
}
# functions of MONAI, for "_mode_": "callable"
MONAI_FUNCTIONS = {"from_engine", "list_data_collate", "pad_list_data_collate", "no_collation"}
# classes that call a function of the config's choice, load pickles, or download weights unless told not to
MONAI_REFUSED = {
    "DatasetFunc",
    "EfficientNetBN",
    "EfficientNetBNFeatures",
    "FCN",
    "HyenaOperator",
    "Lambda",
    "Lambdad",
    "MCFCN",
    "MILModel",
    "PerceptualLoss",
    "RandLambda",
    "RandLambdad",
    "ResNetEncoder",
    "ResNetFeatures",
    "TextEncoder",
    "TorchVisionFCModel",
    "TorchVisionFullyConvModel",
    "Transchex",
}
MONAI_SUFFIXES = ("", "d", "D", "Dict")  # LoadImage, LoadImaged, LoadImageD, LoadImageDict

# _target_: classes that lie in these modules themselves
LIBRARY_MODULES = {
    "ignite.handlers",
    "ignite.metrics",
    "torch.nn",
    "torch.nn.parallel",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils.data",
    "torch.utils.data.distributed",
}
LIBRARY_REFUSED = {"torch.nn.Module"}

# folders of tomobundles that are tools, not parts of a workflow
OWN_REFUSED = {"scripts"}

MODES = {"default", "callable"}
# arguments under which a library looks a class up by its name, wherever that leads: MONAI's short names only
NAMED_CODE = {"merger_cls", "reader", "writer"}
# arguments that switch a library's own guard off or start a download: this value or none
FIXED_ARGUMENTS = {"allow_pickle": False, "download": False, "pretrained": False, "weights_only": True}
