# SPDX-License-Identifier: Apache-2.0
"""Watches a network while it runs: which blocks a tensor is made from, what the blocks hold and give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ..utils import InputError

IMAGE = "image"


@dataclass
class TracedBlock:
    """One block of a network as it ran.

    Attributes:
        name: of the block.
        channels: of its output.
        scale: input size over output size along the first spatial axis; None where the output has no such
            axes (a vector).
        parameters: number of learnable values.
        convolutions: kernel such as "3x3", or "2x2 up" where transposed -> how many ran.
        sources: what its output is made from: names of blocks, or "image".
        extra_channels: channels that came from neither, such as coordinates the network makes itself.
    """

    name: str
    channels: int
    scale: float | None
    parameters: int
    convolutions: dict[str, int] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    extra_channels: int = 0


class BlockRecorder(TorchFunctionMode):
    """Carries, for every tensor, the blocks that it was made from.

    Enter :meth:`hooks` and then the recorder itself, and run the network once.

    Args:
        network: the network that will run.
        image: its input, (1, C, ...).
        blocks: name of a block -> names of its submodules.

    Attributes:
        found: blocks in the order in which they ran.
    """

    def __init__(self, network: nn.Module, image: Tensor, blocks: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.network, self.image, self.blocks = network, image, blocks
        self.found: dict[str, TracedBlock] = {}
        self.ran: set[str] = set()
        self._sources: dict[int, tuple[str, ...]] = {id(image): (IMAGE,)}
        self._channels = {IMAGE: image.shape[1]}
        self._alive: list[Tensor] = [image]  # an id is of use only while its tensor lives

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run a function of torch; what it gives comes from all that its arguments come from."""
        result = function(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if made:
            sources = self._union(tree_leaves((args, kwargs or {})))
            for tensor in made:
                self._note(tensor, sources)
        return result

    def sources_of(self, tensor: Tensor) -> tuple[str, ...]:
        """Blocks that a tensor was made from, in the order in which they came in."""
        return self._sources.get(id(tensor), ())

    def _union(self, values: Sequence[Any]) -> tuple[str, ...]:
        tensors = (value for value in values if isinstance(value, Tensor))
        return tuple(dict.fromkeys(source for tensor in tensors for source in self.sources_of(tensor)))

    def _note(self, tensor: Tensor, sources: tuple[str, ...]) -> None:
        self._sources[id(tensor)] = sources
        self._alive.append(tensor)

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watch the blocks' modules while the context lasts."""
        with ExitStack() as stack:
            for name, members in self.blocks.items():
                for member in members:
                    module = self.network.get_submodule(member)
                    for handle in self._watch(name, member, module):
                        stack.callback(handle.remove)
            yield

    def _watch(self, name: str, member: str, module: nn.Module) -> Iterator[Any]:
        def before(_: nn.Module, args: tuple, kwargs: dict) -> None:
            if member in self.ran:
                raise InputError(f"block {name}: {member} ran more than once")
            self.ran.add(member)
            self._enter(name, tree_leaves((args, kwargs)))

        def after(_: nn.Module, args: tuple, result: Any) -> None:
            self._leave(name, module, result)

        yield module.register_forward_pre_hook(before, with_kwargs=True)
        yield module.register_forward_hook(after)
        for part in module.modules():
            if isinstance(part, nn.modules.conv._ConvNd):
                yield part.register_forward_hook(lambda conv, *_: self._count(name, conv))

    def _enter(self, name: str, values: Sequence[Any]) -> None:
        """Note the channels of a single input that are not those of the blocks that it is joined from."""
        block = self.found.setdefault(name, TracedBlock(name, 0, None, 0))
        sources = self._union(values)
        tensors = [value for value in values if isinstance(value, Tensor)]
        if len(tensors) == 1 and len(sources) > 1:
            joined = sum(self._channels[source] for source in sources)
            block.extra_channels = max(tensors[0].shape[1] - joined, 0)

    def _leave(self, name: str, module: nn.Module, result: Any) -> None:
        """Take what the result was made from as sources; from here on it comes from this block."""
        block, made = self.found[name], tree_leaves(result)
        sources = (source for source in self._union(made) if source != name)
        block.sources = tuple(dict.fromkeys((*block.sources, *sources)))
        for tensor in made:
            self._note(tensor, (name,))
        block.parameters += sum(parameter.numel() for parameter in module.parameters())
        shape = made[0].shape
        block.channels = self._channels[name] = shape[1]
        block.scale = self.image.shape[2] / shape[2] if len(shape) == self.image.ndim else None

    def _count(self, name: str, conv: nn.Module) -> None:
        kernel = "x".join(map(str, conv.kernel_size)) + (" up" if conv.transposed else "")
        counted = self.found[name].convolutions
        counted[kernel] = counted.get(kernel, 0) + 1
