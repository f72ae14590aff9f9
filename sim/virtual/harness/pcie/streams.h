// The streams of images and results: frames of the host to beats of the Verilated module, and back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>

#include "channel.h"

// Frames to beats. The last beat of a frame is filled up with zeros.
template <class Data>
class Source {
public:
    Source(Data& data, CData& valid, CData& ready, CData& last) : data_{data}, valid_{valid}, ready_{ready}, last_{last} {}

    void put(Frame frame) { frames_.push_back(std::move(frame)); }
    bool empty() const { return frames_.empty() && !valid_; }
    bool full() const { return frames_.size() >= kDepth; }

    // Before the rising edge, and after it.
    void sample() { taken_ = valid_ && ready_; }

    void drive() {
        if (taken_ || !valid_) offer();
        taken_ = false;
    }

private:
    static constexpr std::size_t kDepth = 16;

    void offer() {
        valid_ = !frames_.empty();
        if (!valid_) return;
        const Frame& frame = frames_.front();
        std::uint8_t bytes[sizeof(Data)] = {};
        const std::size_t size = std::min(sizeof bytes, frame.size() - given_);
        std::memcpy(bytes, frame.data() + given_, size);
        std::memcpy(&data_, bytes, sizeof bytes);
        given_ += size;
        last_ = given_ == frame.size();
        if (last_) {
            frames_.pop_front();
            given_ = 0;
        }
    }

    Data& data_;
    CData &valid_, &ready_, &last_;
    std::deque<Frame> frames_;
    std::size_t given_ = 0;
    bool taken_ = false;
};

// Beats to frames. It stands still while more bytes wait for the host than a card has room for.
template <class Data>
class Sink {
public:
    Sink(Data& data, CData& valid, CData& ready, CData& last) : data_{data}, valid_{valid}, ready_{ready}, last_{last} {}

    // The first whole frame; null where there is none.
    const Frame* front() const { return frames_.empty() ? nullptr : &frames_.front(); }

    void pop() {
        waiting_ -= frames_.front().size();
        frames_.pop_front();
    }

    bool sample() {
        if (!valid_ || !ready_) return false;
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&data_);
        open_.insert(open_.end(), bytes, bytes + sizeof(Data));
        waiting_ += sizeof(Data);
        if (last_) frames_.push_back(std::exchange(open_, {}));
        return true;
    }

    void drive() { ready_ = waiting_ < kRoom || frames_.empty(); }

private:
    static constexpr std::size_t kRoom = 1 << 18;

    Data& data_;
    CData &valid_, &ready_, &last_;
    Frame open_;
    std::deque<Frame> frames_;
    std::size_t waiting_ = 0;
};

template <class Data>
Source(Data&, CData&, CData&, CData&) -> Source<Data>;
template <class Data>
Sink(Data&, CData&, CData&, CData&) -> Sink<Data>;
