// The Verilated module with its clock and its memory, between a terminal and the wires of its UART.
//
// When the clock runs: at full speed, or as fast as its limit lets it, while there is traffic and kRest clocks
// longer. After a byte to the board it goes on until the board answers, or `patience` clocks have passed
// (kAbandoned at most when the client has closed the terminal). Then it stands still, the process sleeps, and
// nothing is lost: the next byte starts it again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "Vtop.h"
#include "board_memory.h"
#include "program.h"
#include "terminal.h"
#include "uart.h"
#include "verilated.h"

class Board {
public:
    Board(unsigned clocks_per_bit, std::uint64_t patience, ClockLimit limit, const Conditions& conditions,
          Terminal& terminal)
        : top_{std::make_unique<Vtop>(&context_)}, memory_{*top_, conditions}, terminal_{terminal},
          sender_{clocks_per_bit}, receiver_{clocks_per_bit}, patience_{patience}, limit_{limit} {
        top_->uart_rx = 1;
        top_->rst = 1;
        for (unsigned i = 0; i < kReset; ++i) cycle();
        top_->rst = 0;
    }

    ~Board() { top_->final(); }
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    // Run the clock for a slice, or sleep when there is nothing to do. False when the design has ended.
    bool go_on() {
        terminal_.read_into(to_board_);
        if (!to_board_.empty()) quiet_ = 0;
        if (quiet_ < limit()) {
            for (unsigned i = 0; i < kSlice; ++i) clock();
            limit_.keep(kSlice);
        } else {
            const double since = seconds();
            terminal_.wait(!to_host_.empty());
            slept_ += seconds() - since;
        }
        lost_ += terminal_.write_from(to_host_);
        return !context_.gotFinish();
    }

    // One JSON object.
    std::string statistics() const {
        const double running = seconds() - begin_ - slept_;
        const Traffic memory = memory_.traffic();
        char text[600];
        std::snprintf(
            text, sizeof text,
            "{\"clocks\": %llu, \"seconds_running\": %.3f, \"seconds_asleep\": %.3f, \"clocks_per_second\": %.0f, "
            "\"bytes_to_board\": %llu, \"bytes_to_host\": %llu, \"bytes_lost\": %llu, \"framing_errors\": %llu, "
            "\"memory_bursts\": %llu, \"memory_beats\": %llu, \"memory_errors\": %llu}\n",
            number(clocks_), running, slept_, static_cast<double>(clocks_) / running, number(sent_),
            number(received_), number(lost_), number(receiver_.errors()), number(memory.bursts),
            number(memory.beats), number(memory.errors));
        return text;
    }

private:
    static constexpr unsigned kReset = 16;
    static constexpr unsigned kSlice = 64;  // clocks between two looks at the terminal
    static constexpr std::uint64_t kRest = 4096;
    static constexpr std::uint64_t kAbandoned = 1'000'000;

    static unsigned long long number(std::uint64_t value) { return value; }

    std::uint64_t limit() const {
        if (!owing_) return kRest;
        return terminal_.connected() ? patience_ : std::min(patience_, kAbandoned);
    }

    void cycle() {
        memory_.sample();
        top_->clk = 1;
        top_->eval();
        memory_.drive();
        top_->clk = 0;
        top_->eval();
        ++clocks_;
    }

    void clock() {
        const std::size_t waiting = to_board_.size(), have = to_host_.size();
        top_->uart_rx = sender_.clock(to_board_);
        cycle();
        receiver_.clock(top_->uart_tx, to_host_);
        if (to_board_.size() != waiting) {
            ++sent_;
            owing_ = true;
        }
        if (to_host_.size() != have) {
            ++received_;
            owing_ = false;
        }
        quiet_ = sender_.idle() && receiver_.idle() ? quiet_ + 1 : 0;
    }

    VerilatedContext context_;
    std::unique_ptr<Vtop> top_;
    BoardMemory memory_;
    Terminal& terminal_;
    Sender sender_;
    Receiver receiver_;
    Bytes to_board_, to_host_;
    std::uint64_t patience_;
    ClockLimit limit_;
    std::uint64_t quiet_ = 0;  // clocks without traffic
    bool owing_ = false;       // the last byte went to the board
    std::uint64_t clocks_ = 0, sent_ = 0, received_ = 0, lost_ = 0;
    const double begin_ = seconds();
    double slept_ = 0;
};
