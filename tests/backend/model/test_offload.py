"""Blocks that visit a GPU one after the other, without a GPU."""

import contextlib

import pytest

torch = pytest.importorskip("torch")

from worldtracing.model.offload import BlockStream  # noqa: E402


class FakeCuda:
    """Streams and events as those of CUDA: which work of one stream is certainly done before which of another."""

    def __init__(self, monkeypatch):
        self.current = {device: FakeStream(f"compute of {device}") for device in ("cuda:0", "cuda:1")}
        for name in ("Stream", "Event", "stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        empty = torch.empty
        monkeypatch.setattr(torch, "empty", lambda size, dtype=None, **_: empty(size, dtype=dtype))

    def Stream(self, device):  # noqa: N802
        self.copies = FakeStream(f"copies to {device}")
        return self.copies

    def Event(self):  # noqa: N802
        return FakeEvent(self.current["cuda:0"])

    def current_stream(self, device=None):
        return self.current[str(device or "cuda:0")]

    @contextlib.contextmanager
    def stream(self, stream):
        assert stream is self.copies
        yield


class FakeStream:
    def __init__(self, name):
        self.name, self.known = name, {name: 0}

    def work(self):
        """Do something, and return what is done before it."""
        self.known[self.name] += 1
        return dict(self.known)

    def learn(self, known):
        self.known |= {name: max(count, self.known.get(name, 0)) for name, count in known.items()}

    def wait_stream(self, other):
        self.learn(other.known)

    def wait_event(self, event):
        self.learn(event.known)


class FakeEvent:
    def __init__(self, default):
        self.default, self.known = default, {}

    def record(self, stream=None):
        self.known = dict((stream or self.default).known)

    def wait(self, stream=None):
        (stream or self.default).wait_event(self)


def test_copies_and_blocks_wait_for_each_other_on_the_second_gpu(monkeypatch):
    """By the rules of CUDA's streams, as no GPU is needed to tell that an order is not kept."""
    cuda = FakeCuda(monkeypatch)
    compute = cuda.current["cuda:1"]
    blocks = [torch.nn.Linear(2, 2) for _ in range(3)]
    stream = BlockStream(blocks, torch.device("cuda:1"))
    filled, used = {}, {}  # of each slot the last copy into it, and the last computation with it

    def copy(i, slot):
        done = cuda.copies.work()
        assert used.get(slot, 0) <= done.get(compute.name, 0), "copied over weights in use"
        filled[slot] = i, done[cuda.copies.name]

    def run(block, i):
        done, slot = compute.work(), stream.slot_of[i]
        assert filled[slot][0] == i
        assert filled[slot][1] <= done.get(cuda.copies.name, 0), "computed before the weights were there"
        used[slot] = done[compute.name]

    monkeypatch.setattr(stream, "_copy", copy)
    for i, block in enumerate(blocks):
        block.register_forward_pre_hook(lambda block, _, i=i: run(block, i))
    for _ in range(3):
        for block in blocks:
            block(torch.zeros(1, 2))
    assert compute.known[compute.name] == 9
    assert cuda.current["cuda:0"].known == {"compute of cuda:0": 0}


def test_weights_are_only_copied_at_leisure_where_that_is_safe(monkeypatch):
    leisure = []
    copy = torch.Tensor.copy_
    monkeypatch.setattr(
        torch.Tensor, "copy_", lambda x, y, non_blocking=False: leisure.append(non_blocking) or copy(x, y)
    )
    block = torch.nn.Linear(2, 2)
    BlockStream([block], torch.device("cpu"))
    block(torch.zeros(1, 2))
    assert leisure == [False, False]


def test_packed_blocks_compute_the_same():
    """Weights of two types in one piece of memory, as on CUDA; each begins where its type may."""
    generator = torch.Generator().manual_seed(0)
    blocks = [torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.LayerNorm(5)) for _ in range(3)]
    for block in blocks:
        for parameter in block.parameters():
            parameter.data.normal_(generator=generator)
        block[0].bfloat16()
    x = torch.rand(4, 3, generator=generator).bfloat16()

    def run():
        return [block(x) for block in mixed]

    mixed = [Mixed(block) for block in blocks]
    wanted = run()
    stream = BlockStream(mixed, torch.device("cpu"), packed=True)
    for _ in range(2):
        assert all(torch.equal(one, other) for one, other in zip(run(), wanted, strict=True))
    for stored in stream.stored:
        assert len(stored.pieces) == 1
        assert all(x.data_ptr() % 4 == 0 for x in stored.tensors)
    stream.stop()
    assert all(torch.equal(one, other) for one, other in zip(run(), wanted, strict=True))


class Mixed(torch.nn.Module):
    """A bf16 layer, then a float32 one."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        return self.layers[1](self.layers[0](x).float())
