// A card: the Verilated module with its clock and its memory, between the sockets that a host opens.
//
// When the clock runs: while the host asks for something, a stream moves, or the accelerator is busy with a run
// (its own STATUS says so), and kRest clocks longer. Then it stands still and the process sleeps. A run whose
// host has gone, or for which nothing has come or gone for kPatience clocks, rests as well.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <poll.h>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "Vtop.h"
#include "board_memory.h"
#include "channel.h"
#include "control.h"
#include "loader.h"
#include "program.h"
#include "streams.h"
#include "verilated.h"

class Card {
public:
    Card(int folder, const std::string& name, ClockLimit limit, const Conditions& conditions)
        : user_{folder, name + "_user"}, images_{folder, name + "_h2c_0"}, results_{folder, name + "_c2h_0"},
          limit_{limit},
          top_{std::make_unique<Vtop>(&context_)}, memory_{*top_, conditions},
          loader_{memory_.store(), HOST_BYTES, conditions}, control_{*top_},
          source_{top_->s_axis_tdata, top_->s_axis_tvalid, top_->s_axis_tready, top_->s_axis_tlast},
          sink_{top_->m_axis_tdata, top_->m_axis_tvalid, top_->m_axis_tready, top_->m_axis_tlast} {
        channels_ = {&user_, &images_, &results_};
        if (HOST_BYTES) {
            to_memory_ = std::make_unique<Channel>(folder, name + "_h2c_1");
            from_memory_ = std::make_unique<Channel>(folder, name + "_c2h_1");
            channels_.insert(channels_.end(), {to_memory_.get(), from_memory_.get()});
        }
        std::memset(&top_->s_axis_tkeep, 0xFF, sizeof top_->s_axis_tkeep);
        top_->aresetn = 0;
        for (unsigned i = 0; i < kReset; ++i) cycle();
        top_->aresetn = 1;
        for (unsigned i = 0; i < kReset; ++i) cycle();  // the reset goes through registers
    }

    ~Card() { top_->final(); }
    Card(const Card&) = delete;
    Card& operator=(const Card&) = delete;

    // Run the clock for a slice, or sleep when there is nothing to do. False when the design has ended.
    bool go_on() {
        serve();
        if (control_.busy() || !source_.empty() || quiet_ < kRest) {
            for (unsigned i = 0; i < kSlice; ++i) cycle();
            limit_.keep(kSlice);
            quiet_ += kSlice;
            patience_ += kSlice;
        } else if (user_.connected() && !idle_ && patience_ < kPatience && !top_->marker) {
            ask_whether_busy();  // not in reset, which is no run
        } else {
            sleep();
        }
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
            "\"frames_to_board\": %llu, \"frames_to_host\": %llu, \"memory_bursts\": %llu, \"memory_beats\": %llu, "
            "\"memory_errors\": %llu}\n",
            number(clocks_), running, slept_, static_cast<double>(clocks_) / running, number(sent_),
            number(received_), number(memory.bursts), number(memory.beats), number(memory.errors));
        return text;
    }

private:
    static constexpr unsigned kReset = 16, kSlice = 64;
    static constexpr std::uint64_t kRest = 4096, kPatience = 1'000'000'000;
    static constexpr int kPatienceMs = 500;  // bounds how late the end of the parent is seen
    static constexpr std::uint32_t kMarker = 0x1000, kLoader = 0x2000, kEnd = 0x3000, kStatus = 0x0C;

    // What comes at `user`: 0 to read or 1 to write, address, value. A word goes back.
    struct Request {
        std::uint32_t kind, address, value;
    };

    static unsigned long long number(std::uint64_t value) { return value; }

    void cycle() {
        memory_.sample();
        control_.sample();
        source_.sample();
        if (sink_.sample()) awake();
        top_->aclk = 1;
        top_->eval();
        memory_.drive();
        control_.drive();
        source_.drive();
        sink_.drive();
        top_->aclk = 0;
        top_->eval();
        ++clocks_;
    }

    // What clients want, as far as it can be had now.
    void serve() {
        for (Channel* channel : channels_) channel->look();
        if (asking_ && !control_.busy()) answer(control_.value());
        if (asked_busy_ && !control_.busy()) {
            asked_busy_ = false;
            idle_ = !(control_.value() & 1);
            if (!idle_) quiet_ = 0;
        }
        Frame frame;
        if (!asking_ && !control_.busy() && user_.receive(frame)) request(frame);
        if (!source_.full() && images_.receive(frame)) {
            source_.put(std::move(frame));
            ++sent_;
            awake();
        }
        if (const Frame* result = sink_.front(); result && results_.send(*result)) {
            sink_.pop();
            ++received_;
            awake();
        }
        if (to_memory_ && to_memory_->receive(frame)) loader_.take(std::move(frame));
        if (loader_.give(frame) && !from_memory_->send(frame)) loader_.put_back(std::move(frame));
    }

    void request(const Frame& frame) {
        Request asked{};
        if (frame.size() != sizeof asked) return answer(Control::kNoAnswer);
        std::memcpy(&asked, frame.data(), sizeof asked);
        awake();
        const std::uint32_t offset = asked.address & 0xFFC;
        if (asked.address < kMarker) {
            asking_ = true;
            if (asked.kind) control_.write(offset, asked.value);
            else control_.read(offset);
        } else if (asked.address < kLoader) {
            if (asked.kind) top_->marker = asked.value;
            answer(top_->marker);
        } else if (asked.address < kEnd && HOST_BYTES) {
            if (asked.kind) loader_.write(offset, asked.value);
            answer(loader_.read(offset));
        } else {
            answer(Control::kNoAnswer);
        }
    }

    void answer(std::uint32_t value) {
        Frame frame(sizeof value);
        std::memcpy(frame.data(), &value, sizeof value);
        user_.send(frame);
        asking_ = false;
    }

    void ask_whether_busy() {
        control_.read(kStatus);
        asked_busy_ = true;
        quiet_ = kRest - kSlice;
    }

    void awake() {
        quiet_ = patience_ = 0;
        idle_ = false;
    }

    void sleep() {
        const double since = seconds();
        std::array<pollfd, 10> files{};
        std::size_t count = 0;
        for (const Channel* channel : channels_) {
            files[count++] = {channel->listener(), POLLIN, 0};
            if (channel->connected()) files[count++] = {channel->client(), POLLIN, 0};
        }
        // A client whose socket is full makes room unasked: look soon.
        poll(files.data(), count, sink_.front() && results_.connected() ? 1 : kPatienceMs);
        slept_ += seconds() - since;
    }

    Channel user_, images_, results_;
    ClockLimit limit_;
    std::unique_ptr<Channel> to_memory_, from_memory_;  // of a design that reads memory
    std::vector<Channel*> channels_;
    VerilatedContext context_;
    std::unique_ptr<Vtop> top_;
    BoardMemory memory_;
    Loader loader_;
    Control control_;
    Source<std::remove_reference_t<decltype(std::declval<Vtop>().s_axis_tdata)>> source_;
    Sink<std::remove_reference_t<decltype(std::declval<Vtop>().m_axis_tdata)>> sink_;
    bool asking_ = false;      // a client waits for the control port
    bool asked_busy_ = false;  // we do, for STATUS
    bool idle_ = true;         // which has said so since something was last asked or moved
    std::uint64_t quiet_ = kRest, patience_ = 0;
    std::uint64_t clocks_ = 0, sent_ = 0, received_ = 0;
    const double begin_ = seconds();
    double slept_ = 0;
};
