// What is known of a venue's session; pyorch.trading.venue_session defines it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pyorch {

struct VenueSession {
    std::int64_t sequence = 0;    // of the last message sent
    std::int64_t waiting_ns = 0;  // since when the venue owes an answer; 0: it owes none
    bool connected = true, late = false;
    bool awaited = false;  // it must say that it is up before anything is quoted there

    void sent(std::int64_t messages, std::int64_t local_ns) {
        sequence += messages;
        if (waiting_ns == 0) waiting_ns = local_ns;
    }
    void heard(std::int64_t up_to, std::int64_t local_ns) {
        waiting_ns = up_to >= sequence ? 0 : local_ns;
        late = false;
    }
    // It is up anew, has taken in messages up to one, and owes nothing.
    void connect(std::int64_t taken_in) {
        connected = true;
        late = awaited = false;
        waiting_ns = 0;
        sequence = std::max(sequence, taken_in);
    }
    bool down() const { return !connected || late || awaited; }
};

}  // namespace pyorch
