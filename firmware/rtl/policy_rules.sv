// The quoting policy after its conditions: dwell, effect, forecast; twin of pyorch/trading/policy.py, which defines it.
//
// `begins` with the tick's local time, which stays; three cycles later or more `decide`, with `met` and `kept` of all outputs; one
// cycle later `fired`, `active` and the effect stand. The scores of a forecast's outputs stand from the cycle before `decide` on; the
// forecast stands three cycles after it. A tick that does not count leaves everything as it is and has no effect.
// `set` stands from the cycle of `begins` on. Registers are read a cycle ahead of their use, and rules compared with each other before
// it is known which act: what is left for the cycle of `decide` is to choose.
// Registers of a set (`write_address` of `policy_store`): docs/wire_events.md, "Policy set".
`resetall
`timescale 1ns / 1ps
`default_nettype none

module policy_rules #(
    parameter int RULES = 8,
    parameter int SCORE_BITS = 24
) (
    input  wire                         clk,
    input  wire                         rst,
    input  wire                         tick_instrument,  // stands from `begins` on; for several paths (hls/emit/banking.py)
    input  wire                         set,
    input  wire                         write_set,
    input  wire                         begins,
    input  wire                         first,       // with `begins`: every dwell and the forecast are forgotten
    input  wire        [          63:0] local_ns,
    output reg                          warm,        // enough ticks since the first
    input  wire                         decide,
    input  wire                         counts,      // with `decide`: book and model are valid, and warm
    input  wire        [     RULES-1:0] met,
    input  wire        [     RULES-1:0] kept,
    output wire        [           6:0] up_output,   // whose scores the forecast compares
    output wire        [           6:0] down_output,
    input  wire signed [SCORE_BITS-1:0] up_score,
    input  wire signed [SCORE_BITS-1:0] down_score,
    output reg         [     RULES-1:0] fired,
    output reg         [     RULES-1:0] active,
    output reg         [          19:0] extra_down_bp100,
    output reg         [          19:0] extra_up_bp100,
    output reg         [           6:0] size_down_percent,
    output reg         [           6:0] size_up_percent,
    output reg  signed [          31:0] forecast_bp100,
    output reg         [          63:0] digest,
    input  wire                         write,
    input  wire        [          15:0] write_address,
    input  wire        [          31:0] write_data
);
    localparam logic [3:0] COMMON = 0, RULE = 1;

    initial if (RULES < 1 || RULES > 16) $fatal(1, "policy_rules: 1 to 16 rules");

    // ---- common registers
    reg [31:0] warm_up[0:1], digest_low[0:1], digest_high[0:1], forecast_outputs[0:1];
    reg [19:0] move[0:1], maximum[0:1], step[0:1];
    reg [15:0] deadband[0:1];
    wire common = write && write_address[15:12] == COMMON;
    always @(posedge clk) if (common) begin
        case (write_address[2:0])
            0: warm_up[write_set] <= write_data;
            1: digest_low[write_set] <= write_data;
            2: digest_high[write_set] <= write_data;
            3: forecast_outputs[write_set] <= write_data;
            4: move[write_set] <= write_data[19:0];
            5: deadband[write_set] <= write_data[15:0];
            6: maximum[write_set] <= write_data[19:0];
            default: step[write_set] <= write_data[19:0];
        endcase
    end
    reg [31:0] warm_up_now;
    reg [16:0] outputs_now;
    reg [19:0] move_now, maximum_now, step_now;
    reg [15:0] deadband_now;
    always @(posedge clk) begin
        digest <= {digest_high[set], digest_low[set]};
        warm_up_now <= warm_up[set];
        outputs_now <= forecast_outputs[set][16:0];
        {move_now, maximum_now, step_now} <= {move[set], maximum[set], step[set]};
        deadband_now <= deadband[set];
    end
    assign up_output = outputs_now[6:0];
    assign down_output = outputs_now[14:8];
    wire forecasts = outputs_now[16];

    // ---- the tick
    reg [31:0] ticks;  // since the first
    reg [63:0] now;
    reg [31:0] ticks_before;
    reg decided, forecast_due;
    reg begun;  // a cycle behind `begins`, which comes straight from the core and would go to every dwell
    always @(posedge clk) begin
        warm <= ticks_before >= warm_up_now;
        begun <= begins && !rst;
        if (begun) begin
            now <= local_ns;
            ticks_before <= first ? 32'd0 : ticks;
            ticks <= first ? 32'd1 : &ticks ? ticks : ticks + 1'b1;
        end
        decided <= decide && !rst;
        if (rst) ticks <= 0;
    end

    // ---- rules
    reg counted;
    always @(posedge clk) if (decide) counted <= counts;
    wire [RULES-1:0] acting_down, acting_up;  // rules that act on these sides
    wire [RULES*27-1:0] presents;              // their size left and widening
    genvar r;
    generate
        for (r = 0; r < RULES; r = r + 1) begin : g_rule
            reg [29:0] effect[0:1];  // armed, up, down, size left, widening
            reg [31:0] dwell_low[0:1];
            reg [15:0] dwell_high[0:1];
            wire mine = write && write_address[15:12] == RULE && write_address[11:2] == r;
            always @(posedge clk) if (mine) begin
                case (write_address[1:0])
                    0: effect[write_set] <= write_data[29:0];
                    1: dwell_low[write_set] <= write_data;
                    default: dwell_high[write_set] <= write_data[15:0];
                endcase
            end
            reg [29:0] present;
            reg [47:0] dwell;
            reg [63:0] until_ns, extended;
            reg acting;
            wire fires = met[r] && present[29];
            wire acts = fires || (acting && present[29]);  // if the tick counts
            wire holds = acting && kept[r] && present[29];
            always @(posedge clk) begin
                present <= effect[set];
                dwell <= {dwell_high[set], dwell_low[set]};
                acting <= $signed(now) < $signed(until_ns);
                extended <= now + {16'd0, dwell};
                if (begun && first) until_ns <= 0;
                if (decide) begin
                    fired[r] <= fires && counts;
                    active[r] <= acts && counts;
                    if (counts && (fires || holds)) until_ns <= extended;
                end
                if (rst) until_ns <= 0;
            end
            assign acting_down[r] = acts && present[27];
            assign acting_up[r] = acts && present[28];
            assign presents[27*r+:27] = present[26:0];
        end
    endgenerate

    // ---- the largest of each: that of the acting rule which no other acting one outdoes
    wire [RULES*RULES-1:0] wider, smaller;  // [r][q]: rule q outdoes r; of equal ones the first
    genvar q;
    generate
        for (r = 0; r < RULES; r = r + 1) begin : g_rival
            for (q = 0; q < RULES; q = q + 1) begin : g_other
                if (q < r) begin : g_before
                    reg widens, cuts;
                    always @(posedge clk) begin
                        widens <= presents[27*q+:20] >= presents[27*r+:20];
                        cuts <= presents[27*q+20+:7] <= presents[27*r+20+:7];
                    end
                    assign wider[RULES*r+q] = widens;
                    assign wider[RULES*q+r] = !widens;
                    assign smaller[RULES*r+q] = cuts;
                    assign smaller[RULES*q+r] = !cuts;
                end
            end
            assign wider[RULES*r+r] = 1'b0;
            assign smaller[RULES*r+r] = 1'b0;
        end
    endgenerate
    reg [19:0] most_down, most_up;
    reg [6:0] least_down, least_up;
    integer k;
    always @* begin
        {most_down, most_up, least_down, least_up} = 0;
        for (k = 0; k < RULES; k = k + 1) begin
            if (acting_down[k] && !(|(acting_down & wider[RULES*k+:RULES]))) most_down = most_down | presents[27*k+:20];
            if (acting_up[k] && !(|(acting_up & wider[RULES*k+:RULES]))) most_up = most_up | presents[27*k+:20];
            if (acting_down[k] && !(|(acting_down & smaller[RULES*k+:RULES]))) least_down = least_down | presents[27*k+20+:7];
            if (acting_up[k] && !(|(acting_up & smaller[RULES*k+:RULES]))) least_up = least_up | presents[27*k+20+:7];
        end
        if (acting_down == 0) least_down = 7'd100;
        if (acting_up == 0) least_up = 7'd100;
    end
    always @(posedge clk) if (decide) begin
        extra_down_bp100 <= counts ? most_down : 20'd0;
        extra_up_bp100 <= counts ? most_up : 20'd0;
        size_down_percent <= counts ? least_down : 7'd100;
        size_up_percent <= counts ? least_up : 7'd100;
    end

    // ---- forecast
    reg signed [17:0] edge_now;
    reg signed [39:0] product;
    wire [17:0] edge_size = edge_now[17] ? -edge_now : edge_now;
    reg quiet;  // nothing is forecast
    wire signed [39:0] shifted = (product + (product[39] ? 40'sd32767 : 40'sd0)) >>> 15;
    wire signed [20:0] limit = {1'b0, maximum_now};
    reg signed [20:0] raw, current;
    wire signed [21:0] apart = raw - current;
    wire [21:0] distance = apart[21] ? -apart : apart;
    wire leave = raw != 0 && distance < step_now;
    always @(posedge clk) begin
        edge_now <= up_score[17:0] - down_score[17:0];
        product <= edge_now * $signed({1'b0, move_now});
        quiet <= !forecasts || edge_size < deadband_now;
        if (decided) raw <= quiet ? 21'sd0 : shifted > limit ? limit : shifted < -limit ? -limit : shifted[20:0];
        forecast_due <= decided && !rst;
        if (forecast_due) begin
            if (counted && !leave) current <= raw;
            forecast_bp100 <= !counted ? 32'sd0 : leave ? current : raw;
        end
        if (rst || (begun && first)) current <= 0;
    end
endmodule

`resetall
