"""The PyTorch side of `npm run bench -- step` and `-- round`: times one client's local training on request, one JSON line per request on stdin."""

import json
import pathlib
import sys
import time

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fixtures"))
from pytorch_networks import ResNet  # noqa: E402
from reference_models import Cnn, Mlp, TransformerCtc, local_step  # noqa: E402

LEARNING_RATE = 0.01
MAX_GRADIENT_NORM = 1.0


IMAGE_MODELS = {
    "cnn": lambda s: Cnn(s["imageShape"], s["channels"], s["hidden"], s["classes"]),
    "mlp": lambda s: Mlp(s["imageShape"], s["hidden"], s["classes"]),
    "resnet": lambda s: ResNet(s["width"], s["blocks"], s["classes"]),
}


class Client:
    """A model and a client's examples; `train` takes `steps` steps over shuffled batches of them."""

    def __init__(self, kind, settings, batchSize, steps, frames=0, labels=0, maxGradientNorm=MAX_GRADIENT_NORM):
        torch.manual_seed(1)
        self.batch_size, self.steps, self.max_gradient_norm = batchSize, steps, maxGradientNorm
        count = batchSize * steps
        if kind in IMAGE_MODELS:
            self.model = IMAGE_MODELS[kind](settings)
            self.fields = {
                "image": torch.rand(count, *settings["imageShape"]) * 2 - 1,
                "label": torch.randint(settings["classes"], (count,)),
            }
        else:
            self.model = TransformerCtc(**settings)
            self.fields = {
                "features": torch.rand(count, frames, settings["filters"]) * 2 - 1,
                "lengths": torch.full((count,), frames),
                "targets": torch.randint(1, settings["vocabulary"], (count, labels)),
                "target_lengths": torch.full((count,), labels),
            }
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE)

    def train(self):
        """Milliseconds of one client's local training: on the clock, and of processor time."""
        clock, processor = time.perf_counter(), time.process_time()
        order = torch.randperm(self.batch_size * self.steps)
        losses = 0.0
        for chosen in order.split(self.batch_size):
            batch = {name: field[chosen] for name, field in self.fields.items()}
            losses += local_step(self.model, self.optimizer, batch, self.max_gradient_norm).item()
        return {"wall": (time.perf_counter() - clock) * 1000, "processor": (time.process_time() - processor) * 1000}


def main():
    torch.set_num_threads(1)
    client = None
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = None
        if "prepare" in request:
            client = Client(**request["prepare"])
        else:
            answer = client.train()
        print(json.dumps({"answer": answer}), flush=True)


if __name__ == "__main__":
    main()
