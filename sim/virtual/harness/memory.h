// External memory in software, and what its AXI4 ports (read_port.h, write_port.h) have in common.
//
//     Store store;
//     ReadPort port{store, Region{base, size}, conditions, READ_SIGNALS(top, m_axi)};
//
//     port.sample();            // before the rising edge: what the edge will transfer
//     top.clk = 1; top.eval();
//     port.drive();             // after it: what the port offers in the next clock
//     top.clk = 0; top.eval();
//
// Ports lead from a Verilated module to the store: data of 8 to 1024 bits, as the types of its signals say,
// addresses of 33 to 64 bits. Bursts increment by whole beats and are answered in order, with the identifier
// of their address. std::runtime_error for anything else, and for what AXI4 (ARM IHI 0022) forbids.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "signals are copied byte by byte");

// Bytes by address. There is room for all of them; those that were never written are kUnwritten.
class Store {
public:
    static constexpr std::uint8_t kUnwritten = 0xDB;

    void read(std::uint64_t address, std::uint8_t* to, std::size_t size) const {
        for (std::size_t done = 0, part; done < size; done += part) {
            part = within(address + done, size - done);
            const auto page = pages_.find((address + done) / kPage);
            if (page == pages_.end()) std::memset(to + done, kUnwritten, part);
            else std::memcpy(to + done, page->second.data() + (address + done) % kPage, part);
        }
    }

    void write(std::uint64_t address, const std::uint8_t* from, std::size_t size) {
        for (std::size_t done = 0, part; done < size; done += part) {
            part = within(address + done, size - done);
            const auto [page, fresh] = pages_.try_emplace((address + done) / kPage);
            if (fresh) page->second.fill(kUnwritten);
            std::memcpy(page->second.data() + (address + done) % kPage, from + done, part);
        }
    }

private:
    static constexpr std::uint64_t kPage = 4096;

    // Of `size` bytes from `address` on, how many are in its page.
    static std::size_t within(std::uint64_t address, std::size_t size) {
        return std::min<std::uint64_t>(size, kPage - address % kPage);
    }

    std::unordered_map<std::uint64_t, std::array<std::uint8_t, kPage>> pages_;
};

// Part of a store that a port sees, from its own address 0 on. What lies outside is answered with DECERR.
struct Region {
    std::uint64_t base = 0, size = ~std::uint64_t{0};

    bool has(std::uint64_t address, std::uint64_t bytes) const {
        return address < size && bytes <= size - address;
    }
};

// How a memory behaves. All of it is the same again for the same seed.
struct Conditions {
    unsigned latency = 0;         // clocks to a burst's first beat, to a write's response; 1 at least
    unsigned stall = 0;           // of 256 clocks, in how many a channel stands still
    unsigned refresh_period = 0;  // clocks from one refresh to the next, 0 for none
    unsigned refresh_clocks = 0;  // clocks of a refresh, in which nothing moves
    unsigned errors = 0;          // of a million bursts, how many are answered with an error
    unsigned seed = 0;
};

// The time of one port, and its dice.
class Pace {
public:
    explicit Pace(const Conditions& conditions, unsigned port = 0)
        : conditions_{conditions}, dice_{conditions.seed * 64 + port} {}

    void tick() { ++now_; }
    std::uint64_t due() const { return now_ + conditions_.latency; }
    bool reached(std::uint64_t due) const { return now_ >= due; }

    // Whether a channel moves in this clock.
    bool moves() {
        const Conditions& c = conditions_;
        const bool refreshing = c.refresh_period && now_ % c.refresh_period < c.refresh_clocks;
        return !refreshing && (!c.stall || dice_() % 256 >= c.stall);
    }

    // Whether a burst fails.
    bool fails() { return conditions_.errors && dice_() % 1'000'000 < conditions_.errors; }
    unsigned below(unsigned end) { return static_cast<unsigned>(dice_() % end); }

private:
    Conditions conditions_;
    std::mt19937 dice_;
    std::uint64_t now_ = 0;
};

struct Burst {
    std::uint64_t address;
    unsigned beats;
    unsigned id;
    std::uint64_t due;
    unsigned bad;  // the beat that is answered with an error; kNone for none

    static constexpr unsigned kNone = ~0u;
};

// What has passed a port.
struct Traffic {
    std::uint64_t bursts = 0, beats = 0, errors = 0;
};

class Port {
public:
    static constexpr std::size_t kDepth = 16;  // bursts, or beats, that wait
    static constexpr unsigned kOkay = 0, kSlaveError = 2, kDecodeError = 3;

    virtual ~Port() = default;
    virtual void sample() = 0;
    virtual void drive() = 0;
    const Traffic& traffic() const { return traffic_; }

protected:
    Port(Store& store, Region region, const Conditions& conditions, unsigned number)
        : store_{store}, region_{region}, pace_{conditions, number} {}

    // The burst that an address channel asks for; checked, as all of them must be.
    Burst burst(std::uint64_t address, unsigned length, unsigned size, unsigned kind, unsigned id,
                std::size_t width) {
        const std::uint64_t beats = length + 1u, bytes = beats * width;
        if (kind != 1) throw std::runtime_error{"a burst of another kind than INCR"};
        if ((std::size_t{1} << size) != width) throw std::runtime_error{"beats narrower than the bus"};
        if (address % width) throw std::runtime_error{"a burst that begins within a beat"};
        if (address / 4096 != (address + bytes - 1) / 4096)
            throw std::runtime_error{"a burst that leaves its 4 KiB"};
        ++traffic_.bursts;
        const unsigned bad = pace_.fails() ? pace_.below(length + 1) : Burst::kNone;
        return {address, length + 1, id, pace_.due(), bad};
    }

    Store& store_;
    Region region_;
    Pace pace_;
    Traffic traffic_;
};

// Throws where something that was offered, and not taken, is not on offer any more, or has changed.
template <class Payload>
class Steady {
public:
    explicit Steady(const char* channel) : channel_{channel} {}

    void check(bool valid, bool ready, const Payload& payload) {
        if (waits_ && !(valid && payload == payload_))
            throw std::runtime_error{std::string{channel_} + " withdrew or changed what it offered"};
        waits_ = valid && !ready;
        payload_ = payload;
    }

private:
    const char* channel_;
    bool waits_ = false;
    Payload payload_{};
};
