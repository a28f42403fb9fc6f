#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a worker speak the protocol? For authors of workers, in any language.

    ci/worker_conformance.py [--head-dim D] [--patience S] COMMAND [ARGUMENT...]
    ci/worker_conformance.py python3 my_worker.py

--head-dim is that of the Problems it asks (16), --patience the seconds that one answer may take (120). Starts the command as the driver would and checks, clause by clause, what harness/protocol/README.md asks of it. It needs
Python alone, reads nothing of fathom, and judges no numbers: that is `fathom run`. Exit status 1 if a clause fails.
"""

import argparse
import array
import json
import math
import mmap
import os
import select
import socket
import struct
import subprocess
import sys
import time

GUARD = b"\xa5" * 256
DTYPE_BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2}
ARITHMETIC_KEYS = {"p_dtype", "p_round", "out_round", "acc", "grad_acc", "ds_dtype", "delta_src", "split_partial",
                   "exp_rel", "empty_row_lse", "block_m", "block_n", "link"}  # fmt: skip
FEATURES = ["dtype.f64", "dtype.f32", "dtype.f16", "dtype.bf16", "layout.bshd", "layout.bhsd", "varlen", "mask.causal",
            "mask.causal.top_left", "mask.causal.bottom_right", "mask.window", "mask.prefix_lm", "mask.document", "gqa",
            "dv", "cross_lengths", "empty_sequence", "scale", "backward", "lse", "dlse", "deterministic"]  # fmt: skip


class Broken(Exception):
    """A clause does not hold; the sentence says why."""


class Lost(Broken):
    """The worker can be asked no more."""


def need(condition, sentence):
    if not condition:
        raise Broken(sentence)


class Worker:
    """A worker process and our end of its channel."""

    def __init__(self, command, patience_s):
        self.patience_s = patience_s
        self.channel, theirs = socket.socketpair()

        def give_socket():
            os.dup2(theirs.fileno(), 3)
            os.set_inheritable(3, True)

        self.process = subprocess.Popen(command, preexec_fn=give_socket, pass_fds=[3], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
        theirs.close()
        self.seq = 0

    def send(self, request, fd=None, slices=1):
        """One frame, in several writes if asked for."""
        body = json.dumps(request).encode()
        frame = struct.pack("<I", len(body)) + body
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        step = max(1, len(frame) // slices)
        for at in range(0, len(frame), step):
            self.channel.sendmsg([frame[at : at + step]], ancillary if at == 0 else [])
            if slices > 1:
                time.sleep(0.002)

    def _bytes(self, count, deadline):
        found = b""
        while len(found) < count:
            ready, _, _ = select.select([self.channel], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise Lost(f"no answer within {self.patience_s:g} s")
            part = self.channel.recv(count - len(found))
            if not part:
                raise Lost("the worker closed its channel" + self.last_words())
            found += part
        return found

    def last_words(self):
        try:
            self.process.wait(2)
            words = self.process.stderr.read().decode(errors="replace").strip().splitlines()
            return f" (exit status {self.process.returncode}" + (f": {words[-1]})" if words else ")")
        except subprocess.TimeoutExpired:
            return " and lives on"

    def receive(self):
        deadline = time.monotonic() + self.patience_s
        while True:
            (length,) = struct.unpack("<I", self._bytes(4, deadline))
            need(length <= 1 << 20, f"a frame of {length} bytes; at most 1 MiB is allowed")
            message = json.loads(self._bytes(length, deadline))
            if message.get("type") not in ("beat", "phase"):
                return message

    def ask(self, kind, fd=None, slices=1, **fields):
        """The answer, which may be of type error."""
        self.seq += 1
        self.send({"type": kind, "seq": self.seq, **fields}, fd, slices)
        answer = self.receive()
        need(answer.get("seq") == self.seq, f"seq {answer.get('seq')} came back for {self.seq}")
        need(answer.get("type") in (kind, "error"), f"an answer of type {answer.get('type')!r} to {kind}")
        return answer

    def end(self, by_bye):
        if by_bye:
            self.send({"type": "bye", "seq": self.seq + 1})
        else:
            self.channel.close()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Broken("the worker lives on") from None


def problem(dtype, layout, head_dim, backward):
    return {"dir": "fwd+bwd" if backward else "fwd", "dtype": dtype, "layout": layout, "hq": 2, "hkv": 2, "d": head_dim,
            "dv": head_dim, "seqs": "24", "mask": "full", "scale": "default", "lse": "wanted", "dlse": False,
            "deterministic": False}  # fmt: skip


def features_of(asked):
    names = ["dtype." + asked["dtype"], "varlen" if asked["layout"] == "thd" else "layout." + asked["layout"]]
    return names + (["backward"] if asked["dir"] == "fwd+bwd" else [])


class Memory:
    """The tensors of one execution between guards, outputs full of a NaN pattern."""

    def __init__(self, asked):
        d = asked["d"]
        rows = {"bshd": [1, 24, 2, d], "bhsd": [1, 2, 24, d], "thd": [24, 2, d]}[asked["layout"]]
        lse = [2, 24] if asked["layout"] == "thd" else [1, 2, 24]
        backward = asked["dir"] == "fwd+bwd"
        dtype, lse_dtype = asked["dtype"], "f64" if asked["dtype"] == "f64" else "f32"
        inputs = ["q", "k", "v"] + (["dout"] if backward else [])
        outputs = ["o", "lse"] + (["dq", "dk", "dv"] if backward else [])
        self.at = 0
        self.inputs = [self._slot(name, dtype, rows) for name in inputs]
        self.outputs = [self._slot(name, *((lse_dtype, lse) if name == "lse" else (dtype, rows))) for name in outputs]
        self.size = self.at + 256
        self.fd = os.memfd_create("conformance", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        self.map = mmap.mmap(self.fd, self.size)
        self.map[:] = GUARD * (self.size // 256) + GUARD[: self.size % 256]
        for number, slot in enumerate(self.inputs):
            self._fill(slot, number)
        for slot in self.outputs:
            self.write(slot, b"\xff" * self.bytes_of(slot))

    def _slot(self, name, dtype, shape):
        offset = self.at + 256
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        self.at = offset + -(-math.prod(shape) * DTYPE_BYTES[dtype] // 256) * 256
        return {"name": name, "dtype": dtype, "shape": shape, "strides": strides, "offset": offset}

    def bytes_of(self, slot):
        return math.prod(slot["shape"]) * DTYPE_BYTES[slot["dtype"]]

    def write(self, slot, data):
        self.map[slot["offset"] : slot["offset"] + len(data)] = data

    def read(self, slot):
        return self.map[slot["offset"] : slot["offset"] + self.bytes_of(slot)]

    def _fill(self, slot, number):
        values = [math.sin(1 + 0.37 * i + number) for i in range(math.prod(slot["shape"]))]
        form = {"f64": "d", "f32": "f", "f16": "e"}.get(slot["dtype"])
        if form:
            self.write(slot, struct.pack(f"<{len(values)}{form}", *values))
        else:  # bf16: the upper half of f32
            self.write(slot, b"".join(struct.pack("<f", value)[2:] for value in values))

    def untouched(self):
        """Every byte that belongs to no tensor, and every input."""
        image = bytearray(self.map[:])
        for slot in self.outputs:
            image[slot["offset"] : slot["offset"] + self.bytes_of(slot)] = bytes(self.bytes_of(slot))
        return bytes(image)


class Talk:
    """One worker through all clauses, in order."""

    def __init__(self, command, head_dim, patience_s):
        self.command, self.head_dim, self.patience_s = command, head_dim, patience_s
        self.worker, self.told = Worker(command, patience_s), {}

    def hello(self):
        """hello names the worker, protocol 1 and its backends"""
        answer = self.worker.ask("hello", protocol=1, features=FEATURES)
        need(answer["type"] == "hello", f"hello was answered by the error: {answer.get('message')}")
        need(answer.get("protocol") == 1 and isinstance(answer.get("worker"), str), "worker or protocol is missing")
        need(answer.get("backends"), "no backend is offered")
        for one in answer["backends"]:
            for key, kind in (("name", str), ("version", str), ("device", str), ("absent", str), ("lowerings", list),
                              ("features", list), ("arithmetic", dict)):  # fmt: skip
                need(isinstance(one.get(key), kind), f"backend {one.get('name')}: {key} is no {kind.__name__}")
            for dtype, arithmetic in one["arithmetic"].items():
                need(set(arithmetic) == ARITHMETIC_KEYS, f"backend {one['name']}: arithmetic of {dtype} has other keys")
        present = [one for one in answer["backends"] if not one["absent"]]
        need(present, "every backend is absent: " + "; ".join(one["absent"] for one in answer["backends"]))
        self.told = present[0]
        need(self.told["lowerings"] and self.told["arithmetic"], "a backend that is here has no lowering or arithmetic")

    def _support(self, asked, features, **others):
        fields = {"backend": self.told["name"], "lowering": self.told["lowerings"][0], **others}
        return self.worker.ask("support", problem=asked, features=features, **fields)

    def finds_support(self):
        """support accepts some Problem of the features that were declared"""
        for dtype in ("f32", "bf16", "f16", "f64"):
            for layout in ("bshd", "bhsd", "thd"):
                asked = problem(dtype, layout, self.head_dim, "backward" in self.told["features"])
                if not set(features_of(asked)) <= set(self.told["features"]):
                    continue
                for lowering in self.told["lowerings"]:
                    if self._support(asked, features_of(asked), lowering=lowering).get("supported"):
                        self.asked, self.lowering = asked, lowering
                        return
        raise Broken("no Problem of its own dtypes and layouts is supported")

    def refuses_unknown_feature(self):
        """support refuses a feature token that was not declared, with code and sentence"""
        answer = self._support(self.asked, [*features_of(self.asked), "from.the.future"])
        need(answer.get("supported") is False, "it was accepted")
        need(answer.get("code") and answer.get("sentence"), "the refusal has no code or no sentence")

    def refuses_unknown_lowering(self):
        """support refuses a lowering that was not declared"""
        need(self._support(self.asked, features_of(self.asked), lowering="no_such").get("supported") is False, "accepted")

    def unknown_request(self):
        """an unknown request is answered by an error, and the worker lives on"""
        self._error(self.worker.ask("dance"))

    def unknown_backend(self):
        """a backend that it does not have is answered by an error"""
        self._error(self._support(self.asked, features_of(self.asked), backend="no_such_backend"))

    def nothing_prepared(self):
        """execute, time and memory before prepare are errors"""
        for kind, fields in (("execute", {}), ("time", {"pass": "forward", "samples": 1, "cold": False}), ("memory", {})):
            self._error(self.worker.ask(kind, **fields))

    def _error(self, answer):
        need(answer["type"] == "error", f"{answer['type']} came back, not an error")
        need(answer.get("kind") in ("exception", "out_of_memory"), f"the error is of kind {answer.get('kind')!r}")
        need(answer.get("message"), "the error has no message")

    def _prepare(self, fd, memory, size=None):
        return self.worker.ask("prepare", fd, backend=self.told["name"], lowering=self.lowering, problem=self.asked,
                               memory_bytes=size or memory.size, inputs=memory.inputs, outputs=memory.outputs)  # fmt: skip

    def prepare_without_memory(self):
        """prepare without its memory is an error"""
        self._error(self._prepare(None, Memory(self.asked)))

    def tensor_outside(self):
        """a tensor that lies outside the memory is an error"""
        memory = Memory(self.asked)
        memory.outputs[0]["offset"] = memory.size + 4096
        self._error(self._prepare(memory.fd, memory))

    def prepares(self):
        """prepare answers the lowering that is used"""
        self.memory = Memory(self.asked)
        answer = self._prepare(self.memory.fd, self.memory)
        need(answer["type"] == "prepare", f"an error: {answer.get('message')}")
        need(answer.get("lowering") == self.lowering, f"lowering {answer.get('lowering')!r}")

    def executes(self):
        """execute writes every element of every output it gives, and nothing else"""
        before = self.memory.untouched()
        answer = self.worker.ask("execute")
        need(answer["type"] == "execute", f"an error: {answer.get('message')}")
        need(isinstance(answer.get("first_call_ns"), (int, float)) and answer["first_call_ns"] >= 0, "first_call_ns")
        need(set(answer["outputs"]) == {slot["name"] for slot in self.memory.outputs}, "another set of outputs")
        need(self.memory.untouched() == before, "a guard or an input was changed")
        for slot in self.memory.outputs:
            self._look_at(slot, answer["outputs"][slot["name"]])

    def _look_at(self, slot, told):
        name = slot["name"]
        need(told.get("transport") in ("in_place", "copied", "not_given"), f"{name}: transport {told.get('transport')!r}")
        need(name == "lse" or told["transport"] != "not_given", f"{name} was not given")
        due = 0 if told["transport"] == "not_given" else self.memory.bytes_of(slot)
        need(told.get("bytes") == due, f"{name}: {told.get('bytes')} bytes; {due} are due")
        data, width = self.memory.read(slot), DTYPE_BYTES[slot["dtype"]]
        elements = [data[i : i + width] for i in range(0, len(data), width)]
        unwritten = sum(element == b"\xff" * width for element in elements)
        wanted = len(elements) if due == 0 else 0
        need(unwritten == wanted, f"{name}: {unwritten} elements were left unwritten; {wanted} should be")

    def executes_again(self):
        """execute may be asked again, in a frame that comes in pieces, and answers alike"""
        first = {slot["name"]: self.memory.read(slot) for slot in self.memory.outputs}
        need(self.worker.ask("execute", slices=7)["type"] == "execute", "an error")
        for slot in self.memory.outputs:
            same = self.memory.read(slot) == first[slot["name"]]
            need(same or "deterministic" not in self.told["features"], f"{slot['name']} has other bits")

    def times(self):
        """time gives as many samples as were asked for, or a reason"""
        for which in ("forward", "backward") if self.asked["dir"] == "fwd+bwd" else ("forward",):
            answer = self.worker.ask("time", **{"pass": which, "samples": 3, "cold": False})
            need(answer["type"] == "time", f"an error: {answer.get('message')}")
            samples = answer.get("samples_ns")
            need(answer.get("mode") in ("cpu", "event") and isinstance(samples, list), "mode or samples_ns")
            need(len(samples) == 3 or (not samples and answer.get("reason")), f"{len(samples)} samples for 3")
            need(all(isinstance(ns, (int, float)) and ns > 0 for ns in samples), f"samples {samples}")
        need(self.worker.ask("time", **{"pass": "sideways", "samples": 1, "cold": False}).get("samples_ns", []) == [],
             "samples of a pass that does not exist")  # fmt: skip

    def knows_memory(self):
        """memory gives a byte count, or null and a reason"""
        answer = self.worker.ask("memory")
        need(answer["type"] == "memory", f"an error: {answer.get('message')}")
        peak = answer.get("peak_bytes")
        need((isinstance(peak, int) and peak >= 0) or (peak is None and answer.get("reason")), f"peak_bytes {peak!r}")
        due = sum(self.memory.bytes_of(slot) for slot in self.memory.outputs)
        need(answer.get("output_bytes") == due, f"output_bytes {answer.get('output_bytes')}; {due} are due")

    def releases(self):
        """after release nothing is prepared"""
        need(self.worker.ask("release")["type"] == "release", "an error")
        self._error(self.worker.ask("execute"))

    def prepares_anew(self):
        """a second prepare replaces the first"""
        for _ in range(2):
            self.prepares()
        self.executes()

    def says_bye(self):
        """bye ends it with exit status 0"""
        status = self.worker.end(by_bye=True)
        need(status == 0, f"exit status {status}")

    def ends_with_the_channel(self):
        """a closed channel ends it"""
        other = Worker(self.command, self.patience_s)
        need(other.ask("hello", protocol=1, features=FEATURES)["type"] == "hello", "an error")
        other.end(by_bye=False)


CLAUSES = [Talk.hello, Talk.finds_support, Talk.refuses_unknown_feature, Talk.refuses_unknown_lowering,
           Talk.unknown_request, Talk.unknown_backend, Talk.nothing_prepared, Talk.prepare_without_memory,
           Talk.tensor_outside, Talk.prepares, Talk.executes, Talk.executes_again, Talk.times, Talk.knows_memory,
           Talk.releases, Talk.prepares_anew, Talk.says_bye, Talk.ends_with_the_channel]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head-dim", type=int, default=16)
    parser.add_argument("--patience", type=float, default=120)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("name the command that starts the worker")
    talk, failed = Talk(options.command, options.head_dim, options.patience), 0
    for number, clause in enumerate(CLAUSES, 1):
        try:
            clause(talk)
            print(f"ok {number:2d}  {clause.__doc__}")
        except (Broken, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            failed += 1
            print(f"NO {number:2d}  {clause.__doc__}: {error or type(error).__name__}")
            if isinstance(error, Lost) or clause in (Talk.hello, Talk.finds_support):
                break  # Nothing is left to ask, or to ask about.
    if talk.worker.process.poll() is None:
        talk.worker.process.kill()
    print(f"{len(CLAUSES) - failed} of {len(CLAUSES)} clauses hold." if number == len(CLAUSES) else "It ends here.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
