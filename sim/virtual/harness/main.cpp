// A virtual board: the Verilated module, its UART behind a pseudo-terminal.
//
//     simulator --clocks-per-bit N --patience CLOCKS [--link PATH] [--stats FILE [--stats-period SECONDS]]
//               [--parent PID] [--memory-latency N] [--memory-stall N] [--memory-refresh-period N]
//               [--memory-refresh-clocks N] [--memory-errors N] [--memory-seed N]
//
// Options of the memory are the fields of Conditions in memory.h, 0 where they are not given.
// The first line on stdout is the terminal's path. Ends with code 0 on SIGINT, SIGTERM and SIGHUP, and when
// the process PID is no longer its parent; with code 1 when the design ends the simulation or something fails.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "board.h"
#include "terminal.h"

namespace {

volatile std::sig_atomic_t stopped = 0;

void stop(int) { stopped = 1; }

// --- options -----------------------------------------------------------------------------------------

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

// --- the link ----------------------------------------------------------------------------------------

// A symbolic link to the terminal, under a name that does not change from run to run.
class Link {
public:
    Link(std::string name, std::string target) : name_{std::move(name)}, target_{std::move(target)} {
        if (name_.empty()) return;
        struct stat found;
        if (lstat(name_.c_str(), &found) == 0 && !S_ISLNK(found.st_mode))
            throw std::runtime_error{name_ + " is in the way: it is no symbolic link"};
        const std::string part = name_ + "." + std::to_string(getpid());
        unlink(part.c_str());
        if (symlink(target_.c_str(), part.c_str())) fail("cannot make the link " + name_);
        if (rename(part.c_str(), name_.c_str())) {
            const int code = errno;
            unlink(part.c_str());
            errno = code;
            fail("cannot make the link " + name_);
        }
    }

    ~Link() {
        // Another board may have taken the name over.
        char found[256];
        const ssize_t size = name_.empty() ? -1 : readlink(name_.c_str(), found, sizeof found);
        if (size >= 0 && target_ == std::string(found, static_cast<std::size_t>(size))) unlink(name_.c_str());
    }

    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

private:
    std::string name_, target_;
};

// --- running ------------------------------------------------------------------------------------------

void report(const std::string& file, const std::string& text) {
    if (file.empty()) {
        std::fputs(text.c_str(), stderr);
        return;
    }
    const std::string part = file + ".part";
    std::ofstream{part} << text;
    if (rename(part.c_str(), file.c_str())) fail("cannot write " + file);
}

Conditions conditions(const Options& options) {
    return {options.number("memory-latency"),        options.number("memory-stall"),
            options.number("memory-refresh-period"), options.number("memory-refresh-clocks"),
            options.number("memory-errors"),         options.number("memory-seed")};
}

int run(const Options& options) {
    const unsigned clocks_per_bit = options.number("clocks-per-bit");
    if (clocks_per_bit < 2) throw std::invalid_argument{"--clocks-per-bit must be 2 or more"};
    const std::string stats = options.text("stats");
    const unsigned period = options.number("stats-period");
    const auto parent = static_cast<pid_t>(options.number("parent"));

    Terminal terminal;
    Board board{clocks_per_bit, options.number("patience"), conditions(options), terminal};
    const Link link{options.text("link"), terminal.path()};
    std::printf("%s\n", terminal.path().c_str());
    std::fflush(stdout);

    double due = seconds() + period;
    bool alive = true;
    // The parent is watched rather than asked for a signal (PR_SET_PDEATHSIG): that one comes already when
    // the thread that started us ends.
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

}  // namespace

int main(int argc, char** argv) {
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
