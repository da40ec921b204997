// Waves through a medium on the GPU, forward and adjoint: an image stays on chip for all its steps.
//
//     force = phi(W * y) - omega y,    z <- decay z + gain force,    y <- y + dt z,    gain = offset + slope decay
//
// One thread block runs one image (dense coupling) or one plane of one image (depthwise). y lies in shared memory with a
// rim around it that repeats it as the boundary says, so the stencil needs no cases. Every other field is read and
// written only by the thread that owns the cell: it stays in registers as far as they go, then in shared memory, then
// in global memory (which the L2 cache holds). Nothing is added atomically, so results do not depend on scheduling.
//
// Compiled when first needed, with these macros:
//     ADJOINT         0: forward, 1: adjoint
//     PLANES          planes of a block: all channels (dense) or 1 (depthwise)
//     GROUP           channels of an item; divides PLANES. An item is one pixel with a group of channels
//     KY, KX          sides of the kernel, odd
//     TANH            1: phi = tanh, 0: identity
//     BOUNDARY        PERIODIC, FIXED or REFLECTING
//     THREADS, CELLS  threads of a block, items of a thread
//     HELD, ONCHIP    how many fields are in registers, and how many of the next in shared memory
//     BUFFERS         2: a step writes a second copy of y, one barrier a step; 1: half the memory, two barriers

#define PERIODIC 0
#define FIXED 1
#define REFLECTING 2

#define RY (KY / 2)
#define RX (KX / 2)
#define TAPS (KY * KX)
#define WEIGHTS (PLANES * PLANES * TAPS)
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)  // run-time compilation has no math.h
#endif

// A register has no address: an array stays in registers only if every index is known, that is, if loops are unrolled.
#if HELD > 0
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("unroll 1")
#endif
#define EACH_ITEM(n, item) UNROLL for (int n = 0, item = threadIdx.x; n < CELLS; ++n, item += THREADS) if (item < p.items)
#define EACH_CHANNEL(k) _Pragma("unroll") for (int k = 0; k < GROUP; ++k)

// `state` stands for (b, c, y, x). The engine's Python side has the same struct.
struct Task {
    const float *y, *z;           // state at step `begin`; z null: at rest; adjoint: y null: found by reversing
    const float *omega, *decay;   // state
    const float *first_decay;     // state; null: decay
    const float *kernel;          // (c, c or 1, ky, kx)
    float *saved;                 // (n, 2, state): y and z after steps segment, 2 segment, .., steps; null: none
    float *state;                 // (2, state): y and z, forward: out at `end`; adjoint: in at `end`, out at `begin`
    float *series, *velocities;   // (b, frames, c, y, x): y and z after steps; null: none
    const float *g_series;        // (b, frames, c, y, x): gradient of what was recorded of the steps; null: none
    float *largest;               // state: the largest y
    int *argmax;                  // state: the step it followed; null: not wanted
    const float *g_largest;       // state
    float *g_y, *g_z, *g_omega, *g_decay, *g_first;  // state; all but g_first are added to
    float *g_kernel;              // (blocks, weights of a block), added to
    float *error;                 // (blocks): how far reversing missed a checkpoint; raised
    int channels, height, width, steps;
    int begin, end;               // the steps to take
    int origin, every, frames;    // frame i of a record is the state after step origin + (i + 1) every
    int segment, begun;           // begun: the first step is like the others
    float dt, offset, slope, first_offset;
};

extern __shared__ __align__(16) float memory[];

// Where this block's planes are: in shared memory, rim included, and in global memory.
struct Planes {
    int height, width, pixels, items, pitch, plane, blocks, part;
    size_t base, total;

    __device__ explicit Planes(const Task& task)
        : height(task.height), width(task.width), pixels(height * width), items(pixels * (PLANES / GROUP)),
          pitch(width + 2 * RX), plane(((height + 2 * RY) * pitch) | 1),  // odd: planes start in different banks
          blocks(task.channels / PLANES), part(blockIdx.x % blocks),
          base(size_t(blockIdx.x) * PLANES * pixels), total(size_t(gridDim.x) * PLANES * pixels) {}

    // Offset of this block's planes in the f-th of the `frames` frames of its image.
    __device__ size_t frame(int f, int frames) const {
        return ((size_t(blockIdx.x / blocks) * frames + f) * blocks + part) * PLANES * pixels;
    }

    __device__ int group(int item) const { return PLANES == GROUP ? 0 : item / pixels; }

    // An item's pixel inside a plane in shared memory; negated (~) if the boundary repeats it elsewhere.
    __device__ int spot(int item) const {
        const int pixel = item - group(item) * pixels, row = pixel / width, column = pixel % width;
        const bool edge = row < RY || row >= height - RY || column < RX || column >= width - RX;
        const int place = (row + RY) * pitch + column + RX;
        return BOUNDARY != FIXED && edge ? ~place : place;
    }
};

__device__ __forceinline__ int place_of(int spot) { return spot < 0 ? ~spot : spot; }

// The copies of one row (or column) that the boundary puts outside the grid, and 0, itself.
struct Images {
    int source, size, from, to;

    __device__ Images(int source, int size, int radius) : source(source), size(size) {
        const int copies = (radius + size - 1) / size;  // tiny grids are repeated more than once
        const bool low = source < radius, high = source >= size - radius;
        from = (BOUNDARY == PERIODIC ? high : low) ? -copies : 0;
        to = (BOUNDARY == PERIODIC ? low : high) ? copies : 0;
    }

    __device__ int operator[](int m) const {
        return m * size + (BOUNDARY == REFLECTING && (m & 1) ? size - 1 - source : source);
    }
};

// Write a value into a plane and into the rim wherever the boundary repeats it.
__device__ __forceinline__ void put(float* plane, const Planes& p, int spot, float value) {
    plane[place_of(spot)] = value;
    if (spot >= 0) return;
    const Images rows(~spot / p.pitch - RY, p.height, RY), columns(~spot % p.pitch - RX, p.width, RX);
    for (int m = rows.from; m <= rows.to; ++m)
        for (int n = columns.from; n <= columns.to; ++n) {
            const int row = rows[m], column = columns[n];
            if (row >= -RY && row < p.height + RY && column >= -RX && column < p.width + RX)
                plane[(row + RY) * p.pitch + column + RX] = value;
        }
}

// The coupling of this block as couple() reads it: from a source plane, by a tap, into a target plane.
struct Weights {
#if PLANES == 1 && TAPS <= 25
    float held[TAPS];
    __device__ float operator()(int, int tap, int) const { return held[tap]; }
#else
    float* there;
    __device__ float operator()(int source, int tap, int target) const {
        return there[(source * TAPS + tap) * PLANES + target];  // targets side by side: one wide read for a group
    }
#endif

    // `transposed` swaps source and target and turns the kernel by 180 degrees: W^T.
    __device__ Weights(const float* kernel, float* shared, bool transposed) {
#if PLANES == 1 && TAPS <= 25
        for (int tap = 0; tap < TAPS; ++tap) held[tap] = kernel[transposed ? TAPS - 1 - tap : tap];
#else
        there = shared;
        for (int w = threadIdx.x; w < WEIGHTS; w += THREADS) {
            const int out = w / TAPS / PLANES, in = w / TAPS % PLANES, tap = w % TAPS;
            if (transposed) there[(out * TAPS + TAPS - 1 - tap) * PLANES + in] = kernel[w];
            else there[(in * TAPS + tap) * PLANES + out] = kernel[w];
        }
#endif
    }
};

// sum[k] = sum over sources and taps of weight * y, at one pixel, for the channels of a group.
__device__ __forceinline__ void couple(
    const float* y, const Weights& weight, const Planes& p, int place, int group, float (&sum)[GROUP]) {
    EACH_CHANNEL(k) sum[k] = 0;
#pragma unroll 1
    for (int source = 0; source < PLANES; ++source) {
        const float* here = y + source * p.plane + place;
#pragma unroll
        for (int dy = 0; dy < KY; ++dy)
#pragma unroll
            for (int dx = 0; dx < KX; ++dx) {
                const float value = here[(dy - RY) * p.pitch + dx - RX];
                EACH_CHANNEL(k) sum[k] += weight(source, dy * KX + dx, group * GROUP + k) * value;
            }
    }
}

// Add what the mirrored copies of an edge pixel send back to it: the part of W^T that couple() does not see because
// q is zero outside the grid.
__device__ void fold(
    const float* q, const Weights& weight, const Planes& p, int place, int group, float (&sum)[GROUP]) {
    const Images rows(place / p.pitch - RY, p.height, RY), columns(place % p.pitch - RX, p.width, RX);
    for (int m = rows.from; m <= rows.to; ++m)
        for (int n = columns.from; n <= columns.to; ++n) {
            if (m == 0 && n == 0) continue;
            const int row = rows[m], column = columns[n];
            for (int i = max(0, row - RY); i <= min(p.height - 1, row + RY); ++i)
                for (int j = max(0, column - RX); j <= min(p.width - 1, column + RX); ++j)
                    for (int source = 0; source < PLANES; ++source) {
                        const float value = q[source * p.plane + (i + RY) * p.pitch + j + RX];
                        const int tap = (i - row + RY) * KX + j - column + RX;
                        EACH_CHANNEL(k) sum[k] += weight(source, tap, group * GROUP + k) * value;
                    }
        }
}

// The K-th field: one value for each cell of the thread.
template <int K>
struct Field {
    static constexpr bool copied = K < HELD + ONCHIP;  // else `there` is the global array itself
    float held[K < HELD ? CELLS * GROUP : 1];
    float* there;

    __device__ Field(float* chip, const Planes& p, float* global)
        : there(copied ? chip + (K < HELD ? 0 : K - HELD) * PLANES * p.pixels : global) {}

    __device__ float& operator()(int n, int k, int offset) {
        if constexpr (K < HELD) return held[n * GROUP + k];
        else return there[offset];
    }
};

__device__ __forceinline__ float phi(float coupling) { return TANH ? tanhf(coupling) : coupling; }

__device__ void clear(float* from, int count) {
    for (int i = threadIdx.x; i < count; i += THREADS) from[i] = 0;
}

#if !ADJOINT

extern "C" __global__ void __launch_bounds__(THREADS) drumhead_forward(const Task task) {
    const Planes p(task);
    const Weights weight(task.kernel + p.part * TAPS, memory, false);
    float* now = memory + WEIGHTS;
    float* next = now + (BUFFERS - 1) * PLANES * p.plane;
    float* chip = next + PLANES * p.plane;
    Field<0> z(chip, p, task.state + p.total + p.base);
    Field<1> omega(chip, p, const_cast<float*>(task.omega) + p.base);
    Field<2> decay(chip, p, const_cast<float*>(task.decay) + p.base);
    int spots[CELLS] = {};

    clear(now, BUFFERS * PLANES * p.plane);
    __syncthreads();
    EACH_ITEM(n, item) {
        spots[n] = p.spot(item);
        const int group = p.group(item);
        EACH_CHANNEL(k) {
            const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
            put(now + target * p.plane, p, spots[n], task.y[p.base + offset]);
            z(n, k, offset) = task.z ? task.z[p.base + offset] : 0;
            if (omega.copied) omega(n, k, offset) = task.omega[p.base + offset];
            if (decay.copied) decay(n, k, offset) = task.decay[p.base + offset];
        }
    }
    __syncthreads();

    for (int t = task.begin; t < task.end; ++t) {
        const int since = t + 1 - task.origin;
        const bool recorded = task.series && since % task.every == 0;
        const size_t frame = recorded ? p.frame(since / task.every - 1, task.frames) : 0;
        const bool checkpoint = task.saved && ((t + 1) % task.segment == 0 || t + 1 == task.steps);
        const size_t saved = checkpoint ? 2 * (t / task.segment) * p.total + p.base : 0;

        auto arrive = [&](int spot, int target, int offset, float y, float velocity) {
            put(next + target * p.plane, p, spot, y);
            if (recorded) task.series[frame + offset] = y;
            if (recorded && task.velocities) task.velocities[frame + offset] = velocity;
            if (checkpoint) {
                task.saved[saved + offset] = y;
                task.saved[saved + p.total + offset] = velocity;
            }
            // Not "y > largest": an undefined value must come out as one, not be passed over.
            if (task.argmax && (t == 0 || !(y <= task.largest[p.base + offset]))) {
                task.largest[p.base + offset] = y;
                task.argmax[p.base + offset] = t;
            }
        };

        EACH_ITEM(n, item) {
            const int group = p.group(item), place = place_of(spots[n]);
            float sum[GROUP];
            couple(now, weight, p, place, group, sum);
            EACH_CHANNEL(k) {
                const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
                const float y = now[target * p.plane + place];
                float d = decay(n, k, offset), gain = task.offset + task.slope * d;
                if (t == 0 && !task.begun) {
                    if (task.first_decay) d = task.first_decay[p.base + offset];
                    gain = task.first_offset;
                }
                const float force = phi(sum[k]) - omega(n, k, offset) * y;
                const float velocity = d * z(n, k, offset) + gain * force;
                z(n, k, offset) = velocity;
                if (BUFFERS == 2) arrive(spots[n], target, offset, y + task.dt * velocity, velocity);
            }
        }
        if (BUFFERS == 1) {
            __syncthreads();
            EACH_ITEM(n, item) {
                const int group = p.group(item), place = place_of(spots[n]);
                EACH_CHANNEL(k) {
                    const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
                    const float velocity = z(n, k, offset);
                    arrive(spots[n], target, offset, now[target * p.plane + place] + task.dt * velocity, velocity);
                }
            }
        }
        __syncthreads();
        float* old = now;
        now = next;
        next = old;
    }

    EACH_ITEM(n, item) {
        const int group = p.group(item), place = place_of(spots[n]);
        EACH_CHANNEL(k) {
            const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
            task.state[p.base + offset] = now[target * p.plane + place];
            if (z.copied) task.state[p.total + p.base + offset] = z(n, k, offset);
        }
    }
}

#else

// The gradient of the kernel: a thread sums one row of taps of one pair of planes over each CHUNKS-th pixel, in
// registers and over all steps. With more rows than threads it has several rows (UNITS).
#define ROWS (PLANES * PLANES * KY)
#define CHUNKS (ROWS < THREADS ? THREADS / ROWS : 1)
#define UNITS ((ROWS * CHUNKS + THREADS - 1) / THREADS)

__device__ __forceinline__ void correlate(const float* q, const float* y, const Planes& p, float (&sums)[UNITS][KX]) {
#pragma unroll
    for (int u = 0; u < UNITS; ++u) {
        const int unit = threadIdx.x + u * THREADS;
        if (unit >= ROWS * CHUNKS) continue;
        const int chunk = unit % CHUNKS, row = unit / CHUNKS;
        const int dy = row % KY, in = row / KY % PLANES, out = row / KY / PLANES;
        const float* from = y + in * p.plane + (dy - RY) * p.pitch - RX;
        const float* to = q + out * p.plane;
        int i = chunk / p.width, j = chunk % p.width;
        const int down = CHUNKS / p.width, right = CHUNKS % p.width;
        while (i < p.height) {
            const int place = (i + RY) * p.pitch + j + RX;
            const float value = to[place];
#pragma unroll
            for (int dx = 0; dx < KX; ++dx) sums[u][dx] += value * from[place + dx];
            i += down;
            j += right;
            if (j >= p.width) {
                j -= p.width;
                ++i;
            }
        }
    }
}

__device__ __forceinline__ float worse(float worst, float miss) {
    miss = fabsf(miss);
    return miss <= worst ? worst : miss == miss ? miss : INFINITY;
}

extern "C" __global__ void __launch_bounds__(THREADS) drumhead_adjoint(const Task task) {
    const Planes p(task);
    const Weights weight(task.kernel + p.part * TAPS, memory, false);
    const Weights transposed(task.kernel + p.part * TAPS, memory + WEIGHTS, true);
    float* y = memory + 2 * WEIGHTS;
    float* q = y + PLANES * p.plane;
    float* chip = q + PLANES * p.plane;
    Field<0> z(chip, p, task.state + p.total + p.base);
    Field<1> g_z(chip, p, task.g_z + p.base);
    Field<2> g_y(chip, p, task.g_y + p.base);
    Field<3> omega(chip, p, const_cast<float*>(task.omega) + p.base);
    Field<4> decay(chip, p, const_cast<float*>(task.decay) + p.base);
    Field<5> g_omega(chip, p, task.g_omega + p.base);
    Field<6> g_decay(chip, p, task.g_decay + p.base);
    const bool stored = task.velocities;
    float g_kernel[UNITS][KX] = {}, worst = 0;
    int spots[CELLS] = {};

    clear(y, 2 * PLANES * p.plane);
    __syncthreads();
    EACH_ITEM(n, item) {
        spots[n] = p.spot(item);
        const int group = p.group(item);
        EACH_CHANNEL(k) {
            const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
            y[target * p.plane + place_of(spots[n])] = task.state[p.base + offset];
            if (z.copied) z(n, k, offset) = task.state[p.total + p.base + offset];
            if (g_z.copied) g_z(n, k, offset) = task.g_z[p.base + offset];
            if (g_y.copied) g_y(n, k, offset) = task.g_y[p.base + offset];
            if (omega.copied) omega(n, k, offset) = task.omega[p.base + offset];
            if (decay.copied) decay(n, k, offset) = task.decay[p.base + offset];
            if (g_omega.copied) g_omega(n, k, offset) = task.g_omega[p.base + offset];
            if (g_decay.copied) g_decay(n, k, offset) = task.g_decay[p.base + offset];
        }
    }

    for (int t = task.end - 1; t >= task.begin; --t) {
        // y_t, for all to see; z_t too if it is known without y_t.
        const bool checkpoint = !stored && ((t + 1) % task.segment == 0 || t + 1 == task.steps);
        const size_t saved = checkpoint ? 2 * (t / task.segment) * p.total + p.base : 0;
        const bool known = task.y && t == task.begin;
        const size_t after = p.frame(t - task.begin, task.end - task.begin);
        const size_t before = t > task.begin ? p.frame(t - 1 - task.begin, task.end - task.begin) : 0;
        EACH_ITEM(n, item) {
            const int group = p.group(item), place = place_of(spots[n]);
            EACH_CHANNEL(k) {
                const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
                float value = 0;
                if (!stored) {
                    value = y[target * p.plane + place];
                    float velocity = z(n, k, offset);
                    if (checkpoint) {
                        const float exact = task.saved[saved + offset], rate = task.saved[saved + p.total + offset];
                        if (t + 1 < task.steps) worst = worse(worse(worst, value - exact), velocity - rate);
                        value = exact;
                        velocity = rate;
                        z(n, k, offset) = velocity;
                    }
                    if (task.series) task.series[after + offset] = value;
                    value -= task.dt * velocity;
                }
                if (known) {
                    const float exact = task.y[p.base + offset];
                    if (!stored) worst = worse(worst, value - exact);
                    value = exact;
                    z(n, k, offset) = task.z ? task.z[p.base + offset] : 0;
                } else if (stored) {
                    value = task.series[before + offset];
                    z(n, k, offset) = task.velocities[before + offset];
                }
                put(y + target * p.plane, p, spots[n], value);
            }
        }
        __syncthreads();

        // The step's own derivatives, and q, the gradient of the coupling.
        const int since = t + 1 - task.origin;
        const bool recorded = task.g_series && since % task.every == 0;
        const size_t frame = recorded ? p.frame(since / task.every - 1, task.frames) : 0;
        EACH_ITEM(n, item) {
            const int group = p.group(item), place = place_of(spots[n]);
            float sum[GROUP];
            couple(y, weight, p, place, group, sum);
            EACH_CHANNEL(k) {
                const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
                const float here = y[target * p.plane + place], stiffness = omega(n, k, offset);
                float d = decay(n, k, offset), gain = task.offset + task.slope * d;
                if (t == 0 && !task.begun) {
                    if (task.first_decay) d = task.first_decay[p.base + offset];
                    gain = task.first_offset;
                }
                const float coupling = phi(sum[k]), force = coupling - stiffness * here;
                float velocity = z(n, k, offset);
                if (!stored && !known) velocity = (velocity - gain * force) / d;
                z(n, k, offset) = velocity;

                float g = g_y(n, k, offset);
                if (recorded) g += task.g_series[frame + offset];
                if (task.g_largest && task.argmax[p.base + offset] == t) g += task.g_largest[p.base + offset];
                const float kick = g_z(n, k, offset) + task.dt * g;
                g_omega(n, k, offset) -= gain * kick * here;
                if (t > 0 || task.begun) g_decay(n, k, offset) += kick * (velocity + task.slope * force);
                else if (task.first_decay) task.g_first[p.base + offset] = kick * velocity;
                else g_decay(n, k, offset) += kick * velocity;
                g_z(n, k, offset) = d * kick;
                g_y(n, k, offset) = g - gain * stiffness * kick;

                const float pull = gain * kick * (TANH ? 1 - coupling * coupling : 1.0f);
                if (BOUNDARY == PERIODIC) put(q + target * p.plane, p, spots[n], pull);
                else q[target * p.plane + place] = pull;
            }
        }
        __syncthreads();

        EACH_ITEM(n, item) {
            const int group = p.group(item), place = place_of(spots[n]);
            float sum[GROUP];
            couple(q, transposed, p, place, group, sum);
            if (BOUNDARY == REFLECTING && spots[n] < 0) fold(q, transposed, p, place, group, sum);
            EACH_CHANNEL(k) g_y(n, k, (group * GROUP + k) * p.pixels + item - group * p.pixels) += sum[k];
        }
        correlate(q, y, p, g_kernel);
        __syncthreads();
    }

    EACH_ITEM(n, item) {
        const int group = p.group(item), place = place_of(spots[n]);
        EACH_CHANNEL(k) {
            const int target = group * GROUP + k, offset = target * p.pixels + item - group * p.pixels;
            task.state[p.base + offset] = y[target * p.plane + place];
            if (z.copied) task.state[p.total + p.base + offset] = z(n, k, offset);
            if (g_z.copied) task.g_z[p.base + offset] = g_z(n, k, offset);
            if (g_y.copied) task.g_y[p.base + offset] = g_y(n, k, offset);
            if (g_omega.copied) task.g_omega[p.base + offset] = g_omega(n, k, offset);
            if (g_decay.copied) task.g_decay[p.base + offset] = g_decay(n, k, offset);
        }
    }

    // The fields are out; shared memory is free for the sums over the block, each in a fixed order.
    __syncthreads();
#pragma unroll
    for (int u = 0; u < UNITS; ++u)
        for (int dx = 0; dx < KX; ++dx)
            if (threadIdx.x + u * THREADS < ROWS * CHUNKS)
                memory[(threadIdx.x + u * THREADS) * KX + dx] = g_kernel[u][dx];
    __syncthreads();
    for (int w = threadIdx.x; w < WEIGHTS; w += THREADS) {
        float sum = 0;
        for (int chunk = 0; chunk < CHUNKS; ++chunk) sum += memory[(w / KX * CHUNKS + chunk) * KX + w % KX];
        task.g_kernel[size_t(blockIdx.x) * WEIGHTS + w] += sum;
    }
    __syncthreads();
    memory[threadIdx.x] = worst;
    __syncthreads();
    if (threadIdx.x == 0) {
        worst = task.error[blockIdx.x];
        for (int i = 0; i < THREADS; ++i) worst = worse(worst, memory[i]);
        task.error[blockIdx.x] = worst;
    }
}

#endif
