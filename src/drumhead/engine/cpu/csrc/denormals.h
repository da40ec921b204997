/* Numbers too small for full precision (below 1.2e-38 in float) count as zero while a kernel runs.
 *
 * Where tanh saturates, gradients shrink at every step until they are such numbers, and processors multiply those in
 * microcode, a hundred times slower. Each call sets the mode of its own thread and gives it back as it was.
 */
#if defined(__x86_64__)
#include <xmmintrin.h>
INLINE uint64_t flush_denormals(void) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* results and operands */
    return before;
}
INLINE void restore_denormals(uint64_t before) { _mm_setcsr((unsigned)before); }
#elif defined(__aarch64__)
INLINE uint64_t flush_denormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1u << 24) : "memory");
    return before;
}
INLINE void restore_denormals(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory"); }
#else
INLINE uint64_t flush_denormals(void) { return 0; }
INLINE void restore_denormals(uint64_t before) { (void)before; }
#endif
