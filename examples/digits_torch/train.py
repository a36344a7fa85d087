"""Step `train`: an ordinary torchrun script. Nothing in it knows of flowc.

By hand, on one machine:

    torchrun --nnodes 1 --nproc-per-node 2 train.py --data digits.npz --save model.pt --loss loss.txt
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from net import network
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on handwritten digits.")
    parser.add_argument("--data", type=Path, required=True, help="what prepare.py wrote")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--save", type=Path, required=True, help="where to write the weights")
    parser.add_argument("--loss", type=Path, required=True, help="where to write the last epoch's loss")
    return parser.parse_args()


def pick_device() -> torch.device:
    """This rank's own GPU (over NCCL) if every rank has one to itself, else the CPU (over gloo)."""
    local_rank = int(os.environ["LOCAL_RANK"])
    mine = str(torch.cuda.get_device_properties(local_rank).uuid) if local_rank < torch.cuda.device_count() else None
    gpus: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(gpus, mine)
    exclusive = None not in gpus and len(set(gpus)) == len(gpus)
    return torch.device("cuda", local_rank) if exclusive else torch.device("cpu")


def train(args: argparse.Namespace, device: torch.device) -> tuple[nn.Module, float]:
    with np.load(args.data) as data:
        dataset = TensorDataset(torch.from_numpy(data["x_train"]), torch.from_numpy(data["y_train"]))
    torch.manual_seed(args.seed)  # the same weights on every rank, the same shuffling in every run
    sampler: DistributedSampler[tuple[torch.Tensor, ...]] = DistributedSampler(dataset, seed=args.seed)
    loader = DataLoader(dataset, batch_size=16, sampler=sampler)
    model = DistributedDataParallel(network().to(device))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

    images, labels = (tensor.to(device) for tensor in dataset.tensors)
    loss = float("nan")
    for epoch in range(args.epochs):
        sampler.set_epoch(epoch)
        for batch, wanted in loader:
            optimizer.zero_grad()
            # DistributedDataParallel averages the gradients of all ranks in backward().
            nn.functional.cross_entropy(model(batch.to(device)), wanted.to(device)).backward()
            optimizer.step()
        # Every rank has the same weights now, so one of them can judge them all.
        if dist.get_rank() == 0:
            with torch.no_grad():
                loss = nn.functional.cross_entropy(model.module(images), labels).item()
            print(f"epoch {epoch + 1} of {args.epochs}: loss {loss:.4f}", flush=True)
    return model.module, loss


def main() -> None:
    args = arguments()
    dist.init_process_group()  # gloo for tensors on the CPU, and NCCL for those on a GPU where there is one
    try:
        model, loss = train(args, pick_device())
        if dist.get_rank() == 0:
            torch.save(model.state_dict(), args.save)
            args.loss.write_text(f"{loss}\n")
    finally:
        dist.destroy_process_group()
    # Threads of gloo outlive their process group and may still hold Python objects; a Python that winds up under them
    # aborts now and then (torch 2.13). All is written, so leave without winding up.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
