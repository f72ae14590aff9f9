// What programs of virtual boards share: options, the signals that end them, their account of themselves.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <time.h>
#include <unistd.h>

#include "memory.h"

[[noreturn]] inline void fail(const std::string& what) {
    throw std::system_error{errno, std::generic_category(), what};
}

inline double seconds() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

inline volatile std::sig_atomic_t stopped = 0;

inline void stop(int) { stopped = 1; }

class Options {
public:
    Options(int argc, char** argv) {
        for (int i = 1; i < argc; i += 2) {
            if (std::strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
                throw std::invalid_argument{std::string{"an option needs a value: "} + argv[i]};
            values_[argv[i] + 2] = argv[i + 1];
        }
    }

    std::string text(const std::string& name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? "" : found->second;
    }

    unsigned number(const std::string& name) const {
        return static_cast<unsigned>(std::strtoul(text(name).c_str(), nullptr, 10));
    }

private:
    std::map<std::string, std::string> values_;
};

inline void report(const std::string& file, const std::string& text) {
    if (file.empty()) {
        std::fputs(text.c_str(), stderr);
        return;
    }
    const std::string part = file + ".part";
    std::ofstream{part} << text;
    if (rename(part.c_str(), file.c_str())) fail("cannot write " + file);
}

// Keeps a simulated clock from running faster than `hz`; 0 for no limit. What a board slept is not made up for.
class ClockLimit {
public:
    explicit ClockLimit(double hz) : hz_{hz} {}

    // After so many clocks: sleep until they would have passed, in naps of a millisecond at least.
    void keep(unsigned clocks) {
        if (hz_ <= 0) return;
        const double now = seconds();
        due_ = std::max(due_, now - kSlack) + clocks / hz_;
        if (due_ - now < kNap) return;
        const double whole = std::floor(due_ - now);
        const timespec rest{static_cast<time_t>(whole), static_cast<long>((due_ - now - whole) * 1e9)};
        nanosleep(&rest, nullptr);
    }

private:
    static constexpr double kSlack = 0.01;  // seconds that a busy machine may take, to be made up for
    static constexpr double kNap = 0.001;
    double hz_;
    double due_ = 0;
};

inline Conditions conditions(const Options& options) {
    return {options.number("memory-latency"),        options.number("memory-stall"),
            options.number("memory-refresh-period"), options.number("memory-refresh-clocks"),
            options.number("memory-errors"),         options.number("memory-seed")};
}

// Run `board` until it ends, a signal comes, or the process --parent is no longer ours. The account goes to
// --stats, every --stats-period seconds if that is given.
//
// The parent is watched rather than asked for a signal (PR_SET_PDEATHSIG): that one comes already when the
// thread that started us ends.
template <class Board>
int serve(Board& board, const Options& options) {
    const std::string stats = options.text("stats");
    const unsigned period = options.number("stats-period");
    const auto parent = static_cast<pid_t>(options.number("parent"));
    double due = seconds() + period;
    bool alive = true;
    while (alive && !stopped && (parent == 0 || getppid() == parent)) {
        alive = board.go_on();
        if (period && seconds() >= due) {
            report(stats, board.statistics());
            due = seconds() + period;
        }
    }
    report(stats, board.statistics());
    if (!alive) std::fputs("the design ended the simulation\n", stderr);
    return alive ? 0 : 1;
}

inline int program(int argc, char** argv, int (*run)(const Options&)) {
    struct sigaction action {};
    action.sa_handler = stop;  // no SA_RESTART: a signal wakes the sleeper
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return run(Options{argc, argv});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
