"""How fast can a core multiply and add? Times chains of vfmadd231ps and vdpbf16ps on twelve registers of AVX-512.

    python diagnostics/peak.py [OUT.json]

Needs gcc and a processor with AVX-512 BF16. Nothing but these instructions runs, so no program of them can be faster.
"""

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = r"""
#include <immintrin.h>
#include <stdio.h>
#include <time.h>
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define START(i) __m512 a##i = _mm512_setzero_ps();
#define FMA(i) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(a##i) : "v"(one));
#define DOT(i) __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(a##i) : "v"(one));
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}
int main(void) {
    const __m512 one = _mm512_set1_ps(1.0f);
    const long rounds = 50000000;
    double best[2] = {0, 0};
    for (int repeat = 0; repeat < 5; repeat++) {
        double begin = now();
        { ALL(START) for (long i = 0; i < rounds; i++) { ALL(FMA) } }
        double middle = now();
        { ALL(START) for (long i = 0; i < rounds; i++) { ALL(DOT) } }
        double end = now();
        double fma = rounds * 12 * 32 / (middle - begin) * 1e-9, dot = rounds * 12 * 64 / (end - middle) * 1e-9;
        if (fma > best[0]) best[0] = fma;
        if (dot > best[1]) best[1] = dot;
    }
    printf("%.1f %.1f\n", best[0], best[1]);
}
"""


def main():
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "peak.c"
        source.write_text(SOURCE)
        subprocess.run(["gcc", "-O2", "-mavx512f", "-mavx512bf16", source, "-o", source.with_suffix("")], check=True)
        fma, dot = map(float, subprocess.run([source.with_suffix("")], capture_output=True, check=True).stdout.split())
    found = {"float32_gflops_per_core": fma, "bfloat16_gflops_per_core": dot, "machine": platform.machine()}
    print(found)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
