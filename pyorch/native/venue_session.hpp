// What is known of a venue's session; pyorch.trading.path_twin.Session defines it.
#pragma once

#include <cstdint>

namespace pyorch {

struct VenueSession {
    std::int64_t sequence = 0;    // of the last message sent
    std::int64_t waiting_ns = 0;  // since when the venue owes an answer; 0: it owes none
    bool connected = true, late = false;

    void sent(std::int64_t messages, std::int64_t local_ns) {
        sequence += messages;
        if (waiting_ns == 0) waiting_ns = local_ns;
    }
    void heard(std::int64_t up_to, std::int64_t local_ns) {
        waiting_ns = up_to >= sequence ? 0 : local_ns;
        late = false;
    }
    void connect() {
        connected = true;
        late = false;
        waiting_ns = 0;
    }
    bool down() const { return !connected || late; }
};

}  // namespace pyorch
