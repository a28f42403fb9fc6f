# SPDX-License-Identifier: Apache-2.0
"""Holds that artefacts.py turns red for what must not ship: on text that is planted here, and, where a
compiler for AMD is installed, on kernels compiled from a source with one mistake in it."""

import pathlib
import shutil
import sys
import tempfile
import unittest

HIP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HIP))
import artefacts as subject

GOOD = ["s_waitcnt lgkmcnt(0)", "s_barrier", "ds_write_b128 v1, v[4:7]", "s_waitcnt vmcnt(3) lgkmcnt(0)", "s_barrier",
        "global_load_dwordx4 v[20:23], v8, s[4:5]", "ds_read_b128 v[10:13], v2 offset:512",
        "v_mfma_f32_32x32x8_bf16 v[32:47], v[10:11], v[20:21], v[32:47]",
        "v_mfma_f32_32x32x8_bf16 v[32:47], v[12:13], v[22:23], v[32:47]"]


class TextTest(unittest.TestCase):
    def test_a_good_text_has_no_fault(self):
        self.assertEqual(subject.operand_faults(GOOD), 0)
        self.assertEqual(subject.unguarded_barriers(GOOD), 0)

    def test_a_barrier_without_its_wait_is_counted(self):
        self.assertEqual(subject.unguarded_barriers([line for line in GOOD if "vmcnt(3)" not in line]), 1)
        self.assertEqual(subject.unguarded_barriers([line.replace(" lgkmcnt(0)", "") for line in GOOD]), 1)

    def test_operands_the_wrong_way_round_are_counted(self):
        swapped = [line.replace("v[12:13], v[22:23]", "v[22:23], v[12:13]") for line in GOOD]
        self.assertEqual(subject.operand_faults(swapped), 1)

    def test_a_register_that_was_overwritten_is_no_longer_from_shared_memory(self):
        late = GOOD[:-1] + ["v_add_f32_e32 v12, v1, v2", GOOD[-1]]
        self.assertEqual(subject.operand_faults(late), 1)

    def test_plans_of_shared_memory(self):
        self.assertEqual(subject.shared_bytes("forward", 128), 32768)
        self.assertEqual(subject.shared_bytes("key_gradient", 128), 33024)
        self.assertEqual(subject.shared_bytes("key_gradient", 256), 32896)
        self.assertEqual(subject.shared_bytes("query_gradient", 256), 49152)

    def test_ptxas_spills_are_read(self):
        text = ("ptxas info    : Function properties for fathom_forward_bf16_d64\n"
                "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
                "ptxas info    : Used 255 registers, used 1 barriers\n")
        numbers = subject.ptxas(text)["fathom_forward_bf16_d64"]
        self.assertEqual(numbers, {"stack": 8, "stores": 4, "loads": 12, "registers": 255})
        self.assertEqual(len(subject.nvidia_faults("forward", numbers, 64, 36)[0]), 3)
        self.assertEqual(subject.nvidia_faults("forward", dict.fromkeys(numbers, 0), 64, 36)[0], [])
        self.assertEqual(len(subject.nvidia_faults("forward", dict.fromkeys(numbers, 0), 0, 0)[0]), 1)


# (what is planted, file, what stands there, what stands there instead, part of the sentence)
PLANTED = [
    ("a spill", "kernel/device_kernels.hip", "return dim == 256 ? 1 : 2;", "return 4;", "vgpr_spill_count is"),
    ("a dropped wait", "platform/amd.h", '  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");\n', "",
     "barriers do not wait"),
    ("operands the wrong way round", "platform/amd.h",
     "sums = __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(a, b,", "sums = __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(b, a,",
     "operands the wrong way round"),
    ("a tile of another size", "kernel/configs.h", "Config<Mfma<32>, E, Dim, 4, 1, 64,",
     "Config<Mfma<32>, E, Dim, 4, 1, 32,", "the plan says"),
]


@unittest.skipUnless(subject.compilers("gfx942")[0], "no clang++-19 with LLVM's tools here")
class PlantedTest(unittest.TestCase):
    def sentences(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            shutil.copytree(HIP, root / "backends/hip")
            for name, old, new in changes:
                file = root / "backends/hip" / name
                text = file.read_text()
                self.assertIn(old, text)
                file.write_text(text.replace(old, new))
            rows, _ = subject.check_all(["gfx942"], [64], root)
        self.assertEqual(len(rows), 8)
        return " ".join(fault for row in rows for fault in row[4])

    def test_the_source_as_it_is_has_no_fault(self):
        self.assertEqual(self.sentences([]), "")

    def test_each_planted_mistake_turns_it_red(self):
        for what, name, old, new, part in PLANTED:
            with self.subTest(what):
                self.assertIn(part, self.sentences([(name, old, new)]))


if __name__ == "__main__":
    unittest.main()
