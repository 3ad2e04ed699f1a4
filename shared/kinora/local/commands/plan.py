"""`kinora plan`: prints the wiring that template.yaml states, as local mode runs it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from kinora.local.context import Context
from kinora.local.plan import Function, Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(context: Context, _arguments: argparse.Namespace) -> int:
    plan = context.plan()
    if context.as_json:
        for one in plan.functions.values():
            context.result(_function_json(plan, one), "")
        for queue in plan.queues:
            context.result({"queue": queue.name} | asdict(queue), "")
        return 0
    _print_tree(plan)
    return 0


def triggers_of(plan: Plan, function: str) -> Iterator[dict[str, Any]]:
    """Everything that invokes the function, each as a plain dictionary with its `type`."""
    kinds: dict[str, tuple[Any, ...]] = {
        "s3": plan.s3,
        "queue": plan.queue,
        "stream": plan.stream,
        "schedule": plan.schedule,
        "http": plan.http,
    }
    for kind, triggers in kinds.items():
        for trigger in triggers:
            if trigger.function == function:
                yield {"type": kind} | asdict(trigger)


def _function_json(plan: Plan, one: Function) -> dict[str, object]:
    return asdict(one) | {"code": str(one.code), "triggers": list(triggers_of(plan, one.name))}


def _print_tree(plan: Plan) -> None:
    from rich.console import Console
    from rich.tree import Tree

    tree = Tree(f"[bold]{plan.template}")
    functions = tree.add("functions")
    for one in plan.functions.values():
        retries = f", {one.retries} retries, then {one.dead_letters}" if one.dead_letters else ""
        branch = functions.add(f"[bold]{one.name}[/] {one.code.name}/ {one.timeout} s, {one.memory} MB{retries}")
        for trigger in triggers_of(plan, one.name):
            branch.add(_trigger_text(trigger))
    queues = tree.add("queues")
    for queue in plan.queues:
        redrive = f", after {queue.max_receive_count} receives to {queue.dead_letter_queue}" if queue.dead_letter_queue else ""
        queues.add(f"[bold]{queue.name}[/] hidden {queue.visibility_timeout} s, kept {queue.retention // 86400} days{redrive}")
    Console().print(tree)


def _trigger_text(trigger: dict[str, Any]) -> str:
    partial = ", partial failures" if trigger.get("partial_failures") else ""
    texts = {
        "s3": "← s3 {bucket}/{prefix}*{suffix}",
        "queue": "← queue {queue}, batches of {batch_size}",
        "stream": "← stream of {table}, batches of {batch_size}, {retries} retries",
        "schedule": "← schedule {name}, every {seconds} s",
        "http": "← http {method} {path}",
    }
    events = " ".join(trigger.get("events", ()))
    return (texts[trigger["type"]].format(**trigger) + partial + (f" {events}" if events else "")).replace("[", r"\[")
