// What test_memory.py asks of the memory in C++, by name; the answer is one line. Managers are played here:
// what they offer changes between sample() and drive(), as registers of a module do.

#include <cstdio>
#include <exception>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "read_port.h"
#include "write_port.h"

namespace {

template <class Data, class Strobe>
struct Bus {
    QData p_araddr, p_awaddr;
    Data p_rdata, p_wdata;
    Strobe p_wstrb;
    CData p_arid, p_arlen, p_arsize, p_arburst, p_arvalid, p_arready;
    CData p_rid, p_rresp, p_rlast, p_rvalid, p_rready;
    CData p_awid, p_awlen, p_awsize, p_awburst, p_awvalid, p_awready;
    CData p_wlast, p_wvalid, p_wready, p_bid, p_bresp, p_bvalid, p_bready;
};

constexpr unsigned log2(std::size_t bytes) { return bytes == 1 ? 0 : 1 + log2(bytes / 2); }

// A port and its manager; `conditions` hold for both directions.
template <class Data, class Strobe = CData>
struct Bench {
    Store store;
    Bus<Data, Strobe> bus{};
    ReadPort<Data> reads;
    WritePort<Data, Strobe> writes;
    std::mt19937 dice{1};
    unsigned now = 0;

    explicit Bench(Conditions conditions = {}, Region region = {})
        : reads{store, region, conditions, READ_SIGNALS(bus, p), 0},
          writes{store, region, conditions, WRITE_SIGNALS(bus, p), 1} {
        bus.p_arburst = bus.p_awburst = 1;
        bus.p_arsize = bus.p_awsize = static_cast<CData>(log2(sizeof(Data)));
        clock([] {});
    }

    template <class Edge>
    void clock(Edge edge) {
        reads.sample();
        writes.sample();
        edge();
        reads.drive();
        writes.drive();
        if (++now > 100'000) throw std::runtime_error{"no end"};
    }

    // Responses of a burst's beats; what is wrong with them throws. `eager`: rready is always high.
    std::string read(std::uint64_t address, unsigned beats, const std::uint8_t* expected,
                     bool eager = false) {
        std::string responses;
        bus.p_araddr = address;
        bus.p_arlen = static_cast<CData>(beats - 1);
        bus.p_arid = static_cast<CData>(beats % 16);
        bus.p_arvalid = 1;
        bus.p_rready = eager;
        while (responses.size() < beats) clock([&] {
            if (bus.p_arready) bus.p_arvalid = 0;
            if (bus.p_rvalid && bus.p_rready) {
                responses += static_cast<char>('0' + bus.p_rresp);
                const bool last = responses.size() == beats;
                if (bus.p_rlast != last || bus.p_rid != beats % 16) throw std::runtime_error{"last or id"};
                if (expected && std::memcmp(&bus.p_rdata, expected, sizeof(Data)))
                    throw std::runtime_error{"data"};
                if (expected) expected += sizeof(Data);
            }
            bus.p_rready = eager || dice() % 3 == 0;
        });
        bus.p_rready = 0;
        return responses;
    }

    // The response of a burst that is written with strobes.
    unsigned write(std::uint64_t address, const std::vector<std::uint8_t>& bytes, std::uint64_t strobe,
                   int early_last = -1) {
        const unsigned beats = static_cast<unsigned>(bytes.size() / sizeof(Data));
        unsigned sent = 0;
        int response = -1;
        bus.p_awaddr = address;
        bus.p_awlen = static_cast<CData>(beats - 1);
        bus.p_awid = 9;
        bool addressed = false;
        while (response < 0) clock([&] {
            if (bus.p_awvalid && bus.p_awready) {
                addressed = true;
                bus.p_awvalid = 0;
            } else if (!addressed) {
                bus.p_awvalid = bus.p_awvalid || dice() % 8 == 0;
            }
            if (bus.p_wvalid && bus.p_wready) {
                bus.p_wvalid = 0;
                ++sent;
            }
            if (!bus.p_wvalid && sent < beats && dice() % 2) {
                std::memcpy(&bus.p_wdata, &bytes[sent * sizeof(Data)], sizeof(Data));
                std::memcpy(&bus.p_wstrb, &strobe, sizeof(Strobe));
                bus.p_wlast = sent + 1 == beats || static_cast<int>(sent) == early_last;
                bus.p_wvalid = 1;
            }
            if (bus.p_bvalid && bus.p_bready) {
                if (bus.p_bid != 9 || sent != beats || !addressed) throw std::runtime_error{"early, or id"};
                response = bus.p_bresp;
            }
            bus.p_bready = dice() % 2;
        });
        bus.p_bready = 0;
        return static_cast<unsigned>(response);
    }
};

std::vector<std::uint8_t> numbers(std::size_t size, unsigned seed) {
    std::mt19937 dice{seed};
    std::vector<std::uint8_t> bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(dice());
    return bytes;
}

const Conditions kRough{9, 100, 50, 7, 0, 3};

// Bursts of all lengths up to a page, under rough conditions; writes too where there are strobes for them.
template <class Data, class Strobe>
void width() {
    Bench<Data, Strobe> bench{kRough, {1 << 20, 1 << 16}};
    const auto bytes = numbers(1 << 16, 1);
    bench.store.write(1 << 20, bytes.data(), bytes.size());
    const unsigned page = 4096 / sizeof(Data), most = std::min(256u, page);
    for (unsigned beats = 1; beats <= most; beats += 1 + beats / 2) {
        const std::uint64_t address = 3 * 4096 + (page - beats) * sizeof(Data);
        if (bench.read(address, beats, &bytes[address]) != std::string(beats, '0'))
            throw std::runtime_error{"resp"};
        if (sizeof(Strobe) * 8 < sizeof(Data)) continue;
        const auto fresh = numbers(beats * sizeof(Data), beats);
        if (bench.write(address, fresh, ~std::uint64_t{0})) throw std::runtime_error{"bresp"};
        bench.read(address, beats, fresh.data());
        bench.store.write((1 << 20) + address, &bytes[address], fresh.size());
    }
}

std::string answer(const std::string& name) {
    std::ostringstream out;
    if (name == "widths") {
        width<CData, CData>();
        width<SData, CData>();
        width<IData, CData>();
        width<QData, CData>();
        width<VlWide<4>, SData>();
        width<VlWide<16>, QData>();
        width<VlWide<32>, CData>();
        return "fine";
    }
    if (name == "store") {
        Store store;
        const auto bytes = numbers(10'000, 2);
        store.write(4000, bytes.data(), bytes.size());
        std::vector<std::uint8_t> found(10'002);
        store.read(3999, found.data(), found.size());
        const bool same = std::equal(bytes.begin(), bytes.end(), found.begin() + 1);
        out << same << " " << unsigned{found.front()} << " " << unsigned{found.back()};
        return out.str();
    }
    if (name == "strobes") {
        Bench<IData> bench;
        bench.write(64, {1, 2, 3, 4, 5, 6, 7, 8}, 0b0101);
        std::array<std::uint8_t, 8> found;
        bench.store.read(64, found.data(), 8);
        for (unsigned byte : found) out << byte << " ";
        return out.str();
    }
    if (name == "outside") {
        Bench<IData> bench{{}, {0, 128}};
        out << bench.read(120, 4, nullptr) << " " << bench.write(124, std::vector<std::uint8_t>(8), 15);
        out << " " << bench.write(120, std::vector<std::uint8_t>(8), 15);
        return out.str();
    }
    if (name == "errors") {
        Conditions all;
        all.errors = 1'000'000;
        Bench<IData> bench{all};
        for (int i = 0; i < 3; ++i) out << bench.read(64, 8, nullptr) << " ";
        out << bench.write(64, std::vector<std::uint8_t>(8), 15);
        std::uint8_t byte;
        bench.store.read(64, &byte, 1);
        out << " " << (byte == Store::kUnwritten) << " " << bench.reads.traffic().errors;
        return out.str();
    }
    if (name == "clocks") {  // of a burst of eight: latency, then refreshes on top, then stalls
        const Conditions plain{1, 0, 0, 0, 0, 0}, late{41, 0, 0, 0, 0, 0}, refreshed{1, 0, 4, 3, 0, 0};
        for (const Conditions& conditions : {plain, late, refreshed, kRough, kRough}) {
            Bench<IData> bench{conditions};
            const unsigned begin = bench.now;
            bench.read(0, 8, nullptr, true);
            out << bench.now - begin << " ";
        }
        return out.str();
    }
    if (name == "last") return Bench<IData>{}.write(0, std::vector<std::uint8_t>(16), 15, 1), "accepted";
    if (name == "page") return Bench<IData>{}.read(4092, 2, nullptr);
    if (name == "unaligned") return Bench<IData>{}.read(2, 1, nullptr);
    Bench<QData> bench{{0, 255, 0, 0, 0, 0}};  // nearly nothing is taken
    if (name == "narrow" || name == "fixed") {
        Bench<QData> other;
        if (name == "narrow") other.bus.p_arsize = 2;
        else other.bus.p_arburst = 0;
        return other.read(0, 1, nullptr);
    }
    bench.bus.p_arvalid = bench.bus.p_wvalid = 1;
    bench.clock([&] {
        if (name == "withdrawn") bench.bus.p_arvalid = 0;
        if (name == "changed") bench.bus.p_wdata = 7;
    });
    bench.clock([] {});
    return "accepted";
}

}  // namespace

int main(int, char** argv) {
    try {
        std::puts(answer(argv[1]).c_str());
    } catch (const std::exception& error) {
        std::printf("refused: %s\n", error.what());
    }
}
