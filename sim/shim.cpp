// A C interface to a Verilated fabric: clocks, AXI4-Lite transactions, AXI4-Stream frames, cycle stamps, an optional trace.
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <memory>

#include "Vfabric_top.h"
#include "verilated.h"
#ifdef FABRIC_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr int handshake_limit = 10'000;  // cycles that an AXI4-Lite handshake may take

struct Fabric {
    VerilatedContext context;
    std::unique_ptr<Vfabric_top> top;
    std::uint64_t cycle = 0;
    std::uint64_t random = 1;
#ifdef FABRIC_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif
#ifdef FABRIC_TWO_CLOCKS
    std::uint64_t aclk_ps = 10'000, core_ps = 10'000;
    std::uint64_t until_core = 5'000;  // from the last edge of aclk to the next one of core_clk; at least 1

    // Edges of core_clk before the next edge of aclk; then whether there is one with it.
    bool core_edges() {
        while (until_core < aclk_ps) {
            top->core_clk = 1;
            top->eval();
            top->core_clk = 0;
            top->eval();
            until_core += core_ps;
        }
        const bool together = until_core == aclk_ps;
        until_core += (together ? core_ps : 0) - aclk_ps;
        return together;
    }
#endif

    // The inputs take effect; what the fabric answers before the next edge of aclk can be read.
    void settle() {
        top->eval();
        dump(0);
    }
    // The next edge of aclk, after `settle`.
    void edge() {
#ifdef FABRIC_TWO_CLOCKS
        top->core_clk = core_edges();
#endif
        top->aclk = 1;
        top->eval();
        dump(5);
        top->aclk = 0;
#ifdef FABRIC_TWO_CLOCKS
        top->core_clk = 0;
#endif
        ++cycle;
        context.timeInc(10);
    }
    void clock() {
        settle();
        edge();
    }
    void dump([[maybe_unused]] int offset) {
#ifdef FABRIC_TRACE
        if (trace) trace->dump(cycle * 10 + offset);
#endif
    }
    // true with a probability of percent
    bool chance(std::uint32_t percent) {
        if (percent == 0) return false;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random >> 33) % 100 < percent;
    }
};

}  // namespace

extern "C" {

// The memories' hex files lie in `folder`.
Fabric* fabric_new(const char* folder) {
    char before[PATH_MAX];
    if (!getcwd(before, sizeof before) || chdir(folder) != 0) return nullptr;
    auto* fabric = new Fabric;
#ifdef FABRIC_TRACE
    fabric->context.traceEverOn(true);
#endif
    fabric->top = std::make_unique<Vfabric_top>(&fabric->context);
    fabric->top->aclk = 0;
#ifdef FABRIC_TWO_CLOCKS
    fabric->top->core_clk = 0;
#endif
    fabric->top->aresetn = 0;
    fabric->top->eval();
    if (chdir(before) != 0) return nullptr;
    return fabric;
}
void fabric_delete(Fabric* fabric) { delete fabric; }

int fabric_trace(Fabric* fabric, const char* path) {
#ifdef FABRIC_TRACE
    if (path == nullptr) {
        if (fabric->trace) fabric->trace->close();
        fabric->trace.reset();
        return 0;
    }
    fabric->trace = std::make_unique<VerilatedVcdC>();
    fabric->top->trace(fabric->trace.get(), 99);
    fabric->trace->open(path);
    return 0;
#else
    (void)fabric;
    (void)path;
    return -1;
#endif
}

void fabric_run(Fabric* fabric, std::uint64_t cycles) {
    while (cycles-- > 0) fabric->clock();
}

// Periods, and when the next edge of core_clk comes after the last one of aclk (1 to core_ps); -1: a fabric of one clock.
int fabric_clocks(Fabric* fabric, std::uint64_t aclk_ps, std::uint64_t core_ps, std::uint64_t until_core_ps) {
#ifdef FABRIC_TWO_CLOCKS
    fabric->aclk_ps = aclk_ps;
    fabric->core_ps = core_ps;
    fabric->until_core = until_core_ps;
    return 0;
#else
    (void)fabric, (void)aclk_ps, (void)core_ps, (void)until_core_ps;
    return -1;
#endif
}

void fabric_reset(Fabric* fabric) {
    auto& top = *fabric->top;
    top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
    top.s_axil_bready = top.s_axil_rready = 1;
    top.s_axis_tvalid = 0;
    top.m_axis_tready = 0;
    std::uint64_t cycles = 4;
#ifdef FABRIC_TWO_CLOCKS
    cycles += 6 * fabric->core_ps / fabric->aclk_ps;
#endif
    top.aresetn = 0;
    fabric_run(fabric, cycles);
    top.aresetn = 1;
    fabric_run(fabric, cycles);
}

std::uint64_t fabric_cycles(Fabric* fabric) { return fabric->cycle; }

// 0, the AXI response if it is not OKAY, or -1: no handshake.
int fabric_write(Fabric* fabric, std::uint32_t address, std::uint32_t data) {
    auto& top = *fabric->top;
    top.s_axil_awaddr = address;
    top.s_axil_wdata = data;
    top.s_axil_wstrb = 15;
    top.s_axil_awvalid = top.s_axil_wvalid = 1;
    top.s_axil_bready = 1;
    bool accepted = false;
    for (int k = 0; k < handshake_limit; ++k) {
        fabric->settle();
        if (!accepted) {
            const bool now = top.s_axil_awready && top.s_axil_wready;
            fabric->edge();
            if (now) {
                accepted = true;
                top.s_axil_awvalid = top.s_axil_wvalid = 0;
            }
        } else {
            const bool done = top.s_axil_bvalid;
            const int response = top.s_axil_bresp;
            fabric->edge();
            if (done) return response;
        }
    }
    top.s_axil_awvalid = top.s_axil_wvalid = 0;
    return -1;
}

int fabric_read(Fabric* fabric, std::uint32_t address, std::uint32_t* data) {
    auto& top = *fabric->top;
    top.s_axil_araddr = address;
    top.s_axil_arvalid = 1;
    top.s_axil_rready = 1;
    bool accepted = false;
    for (int k = 0; k < handshake_limit; ++k) {
        fabric->settle();
        if (!accepted) {
            const bool now = top.s_axil_arready;
            fabric->edge();
            if (now) {
                accepted = true;
                top.s_axil_arvalid = 0;
            }
        } else {
            const bool done = top.s_axil_rvalid;
            *data = top.s_axil_rdata;
            const int response = top.s_axil_rresp;
            fabric->edge();
            if (done) return response;
        }
    }
    top.s_axil_arvalid = 0;
    return -1;
}

struct Stream {
    const std::uint64_t* in;
    const std::uint8_t* in_last;
    std::uint64_t in_beats;
    std::uint64_t in_done;  // beats taken so far
    std::uint64_t* in_cycles;  // when each was taken; may be null
    std::uint64_t* out;
    std::uint8_t* out_last;
    std::uint64_t out_room;
    std::uint64_t out_done;
    std::uint64_t* out_cycles;  // may be null
    std::uint64_t frames_wanted;  // returns when so many result frames have come
    std::uint64_t frames_done;
    std::uint64_t max_cycles;
    std::uint32_t gap_percent;  // of cycles in which the source pauses before a beat
    std::uint32_t stall_percent;  // of cycles in which the sink is not ready
    std::uint64_t seed;
    std::uint64_t after;  // the first beat is offered no earlier than so many cycles from now
    std::uint64_t write_at;  // so many cycles from now a register is written
    std::uint32_t write_address;
    std::uint32_t write_data;
    std::uint32_t writes;  // 1: it is to be written; 0 once it was
};

// Gives and takes beats until `frames_wanted` result frames have come; 0, or -1 after `max_cycles`, -2 without room.
int fabric_stream(Fabric* fabric, Stream* s) {
    auto& top = *fabric->top;
    if (s->seed) fabric->random = s->seed;
    bool offered = false;
    for (std::uint64_t k = 0; k < s->max_cycles; ++k) {
        if (s->frames_done >= s->frames_wanted && s->in_done >= s->in_beats) {
            top.s_axis_tvalid = 0;
            top.m_axis_tready = 0;
            return 0;
        }
        if (!offered && s->in_done < s->in_beats && k >= s->after && !fabric->chance(s->gap_percent)) offered = true;
        top.s_axis_tvalid = offered;
        if (offered) {
            top.s_axis_tdata = s->in[s->in_done];
            top.s_axis_tlast = s->in_last[s->in_done];
        }
        const bool ready = !fabric->chance(s->stall_percent);
        if (ready && s->out_done >= s->out_room) {
            top.s_axis_tvalid = 0;
            top.m_axis_tready = 0;
            return -2;
        }
        top.m_axis_tready = ready;
        if (s->writes && k >= s->write_at) {
            top.s_axil_awaddr = s->write_address;
            top.s_axil_wdata = s->write_data;
            top.s_axil_wstrb = 15;
            top.s_axil_awvalid = top.s_axil_wvalid = 1;
        }
        fabric->settle();
        const bool wrote = top.s_axil_awvalid && top.s_axil_awready && top.s_axil_wready;
        const bool gave = offered && top.s_axis_tready;
        const bool took = ready && top.m_axis_tvalid;
        if (took) {
            s->out[s->out_done] = top.m_axis_tdata;
            s->out_last[s->out_done] = top.m_axis_tlast;
            if (s->out_cycles) s->out_cycles[s->out_done] = fabric->cycle;
            ++s->out_done;
            if (top.m_axis_tlast) ++s->frames_done;
        }
        if (gave) {
            if (s->in_cycles) s->in_cycles[s->in_done] = fabric->cycle;
            ++s->in_done;
            offered = false;
        }
        fabric->edge();
        if (wrote) s->writes = top.s_axil_awvalid = top.s_axil_wvalid = 0;
    }
    top.s_axis_tvalid = 0;
    top.m_axis_tready = 0;
    return -1;
}

}  // extern "C"
