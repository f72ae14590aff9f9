// A virtual board: the Verilated module, its UART behind a pseudo-terminal.
//
//     simulator --clocks-per-bit N --patience CLOCKS [--link PATH] [--stats FILE [--stats-period SECONDS]]
//               [--parent PID] [--most-hz HZ]
//               [--memory-latency N] [--memory-stall N] [--memory-refresh-period N]
//               [--memory-refresh-clocks N] [--memory-errors N] [--memory-seed N]
//
// --most-hz: rate of the simulated clock at most. Options of the memory are the fields of Conditions in
// memory.h, 0 where they are not given.
// The first line on stdout is the terminal's path. Ends with code 0 on SIGINT, SIGTERM and SIGHUP, and when
// the process PID is no longer its parent; with code 1 when the design ends the simulation or something fails.

#include <cstdio>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "board.h"
#include "program.h"
#include "terminal.h"

namespace {

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

int run(const Options& options) {
    const unsigned clocks_per_bit = options.number("clocks-per-bit");
    if (clocks_per_bit < 2) throw std::invalid_argument{"--clocks-per-bit must be 2 or more"};

    Terminal terminal;
    const ClockLimit limit{static_cast<double>(options.number("most-hz"))};
    Board board{clocks_per_bit, options.number("patience"), limit, conditions(options), terminal};
    const Link link{options.text("link"), terminal.path()};
    std::printf("%s\n", terminal.path().c_str());
    std::fflush(stdout);
    return serve(board, options);
}

}  // namespace

int main(int argc, char** argv) { return program(argc, argv, run); }
