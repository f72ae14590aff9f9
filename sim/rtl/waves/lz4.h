// What Verilator's writer of FST files asks of liblz4, whose headers few machines have: the bound, and a
// compressor of one block. Every LZ4 decompressor reads what it writes; it is greedy, so files are a little
// larger than those of liblz4.
#ifndef SPEC2_LZ4_H
#define SPEC2_LZ4_H

#include <cstdint>
#include <cstring>
#include <vector>

static inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

namespace spec2_lz4 {

constexpr int MINIMUM = 4;       // bytes of the shortest match
constexpr int TAIL = 5;          // bytes at the end that no match may reach
constexpr int LAST_MATCH = 12;   // before the end of a block, at the latest, its last match begins
constexpr int FARTHEST = 65535;  // back to a match
constexpr int HASH_BITS = 12;

static inline uint32_t word(const uint8_t *at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// What of a length does not fit into four bits.
static inline uint8_t *rest(uint8_t *out, int length) {
    for (; length >= 255; length -= 255) *out++ = 255;
    *out++ = static_cast<uint8_t>(length);
    return out;
}

// A sequence: `literals` bytes as they are, then `match` bytes from `back` bytes before; none if match is 0.
static inline uint8_t *sequence(uint8_t *out, const uint8_t *from, int literals, int back, int match) {
    const int more = match ? match - MINIMUM : 0;
    *out++ = static_cast<uint8_t>((literals < 15 ? literals : 15) << 4 | (more < 15 ? more : 15));
    if (literals >= 15) out = rest(out, literals - 15);
    std::memcpy(out, from, literals);
    out += literals;
    if (!match) return out;
    *out++ = static_cast<uint8_t>(back);
    *out++ = static_cast<uint8_t>(back >> 8);
    return more >= 15 ? rest(out, more - 15) : out;
}

}  // namespace spec2_lz4

static inline int LZ4_compress_default(const char *source, char *target, int size, int room) {
    using namespace spec2_lz4;
    if (size < 0 || room < LZ4_compressBound(size)) return 0;
    const auto *in = reinterpret_cast<const uint8_t *>(source);
    auto *const start = reinterpret_cast<uint8_t *>(target);
    uint8_t *out = start;
    std::vector<int> seen(1 << HASH_BITS, -1);
    int done = 0;
    for (int i = 0; i + LAST_MATCH <= size;) {
        int &entry = seen[word(in + i) * 2654435761U >> (32 - HASH_BITS)];
        const int before = entry;
        entry = i;
        if (before < 0 || i - before > FARTHEST || word(in + before) != word(in + i)) {
            ++i;
            continue;
        }
        int match = MINIMUM;
        while (i + match < size - TAIL && in[before + match] == in[i + match]) ++match;
        out = sequence(out, in + done, i - done, i - before, match);
        done = i += match;
    }
    return static_cast<int>(sequence(out, in + done, size - done, 0, 0) - start);
}

#endif
