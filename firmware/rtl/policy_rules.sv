// The quoting policy after its conditions: dwell, effect, forecast; twin of pyorch/trading/policy.py, which defines it.
//
// `begins` with the tick's local time; two cycles later or more `decide`, with `met` and `kept` of all outputs; one cycle later
// `fired`, `active` and the effect stand. The scores of a forecast's outputs stand from the cycle before `decide` on; the forecast
// stands three cycles after it. A tick that does not count leaves everything as it is and has no effect.
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
    output wire        [          63:0] digest,
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
    assign digest = {digest_high[set], digest_low[set]};
    assign up_output = forecast_outputs[set][6:0];
    assign down_output = forecast_outputs[set][14:8];
    wire forecasts = forecast_outputs[set][16];

    // ---- the tick
    reg [31:0] ticks;  // since the first
    reg [63:0] now;
    reg decided, forecast_due;
    always @(posedge clk) begin
        if (begins) begin
            now <= local_ns;
            warm <= (first ? 32'd0 : ticks) >= warm_up[set];
            ticks <= first ? 32'd1 : &ticks ? ticks : ticks + 1'b1;
        end
        decided <= decide && !rst;
        if (rst) ticks <= 0;
    end

    // ---- rules
    reg counted;
    always @(posedge clk) if (decide) counted <= counts;
    wire [RULES*56-1:0] effects;  // both sides' spread and what is cut from their sizes
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
            wire [29:0] present = effect[set];
            wire [47:0] dwell = {dwell_high[set], dwell_low[set]};
            reg [63:0] until_ns, extended;
            reg acting;
            wire fires = met[r] && present[29];
            wire acts = (fires || (acting && present[29])) && counts;
            wire holds = acting && kept[r] && present[29];
            always @(posedge clk) begin
                acting <= $signed(now) < $signed(until_ns);
                extended <= now + {16'd0, dwell};
                if (begins && first) until_ns <= 0;
                if (decide) begin
                    fired[r] <= fires && counts;
                    active[r] <= acts;
                    if (counts && (fires || holds)) until_ns <= extended;
                end
                if (rst) until_ns <= 0;
            end
            wire down = acts && present[27], up = acts && present[28];
            wire [6:0] cut = 7'd100 - present[26:20];
            assign effects[56*r+:56] = {1'b0, up ? cut : 7'd0, 1'b0, down ? cut : 7'd0, up ? present[19:0] : 20'd0, down ? present[19:0] : 20'd0};
        end
    endgenerate

    // ---- the largest of each
    reg [19:0] most_down, most_up;
    reg [6:0] cut_down, cut_up;
    integer k;
    always @* begin
        {most_down, most_up, cut_down, cut_up} = 0;
        for (k = 0; k < RULES; k = k + 1) begin
            if (effects[56*k+:20] > most_down) most_down = effects[56*k+:20];
            if (effects[56*k+20+:20] > most_up) most_up = effects[56*k+20+:20];
            if (effects[56*k+40+:7] > cut_down) cut_down = effects[56*k+40+:7];
            if (effects[56*k+48+:7] > cut_up) cut_up = effects[56*k+48+:7];
        end
    end
    always @(posedge clk) if (decide) begin
        extra_down_bp100 <= most_down;
        extra_up_bp100 <= most_up;
        size_down_percent <= 7'd100 - cut_down;
        size_up_percent <= 7'd100 - cut_up;
    end

    // ---- forecast
    reg signed [17:0] edge_now;
    reg signed [39:0] product;
    wire [17:0] edge_size = edge_now[17] ? -edge_now : edge_now;
    reg quiet;  // nothing is forecast
    wire signed [39:0] shifted = (product + (product[39] ? 40'sd32767 : 40'sd0)) >>> 15;
    wire signed [20:0] limit = {1'b0, maximum[set]};
    reg signed [20:0] raw, current;
    wire signed [21:0] apart = raw - current;
    wire [21:0] distance = apart[21] ? -apart : apart;
    wire leave = raw != 0 && distance < step[set];
    always @(posedge clk) begin
        edge_now <= up_score[17:0] - down_score[17:0];
        product <= edge_now * $signed({1'b0, move[set]});
        quiet <= !forecasts || edge_size < deadband[set];
        if (decided) raw <= quiet ? 21'sd0 : shifted > limit ? limit : shifted < -limit ? -limit : shifted[20:0];
        forecast_due <= decided && !rst;
        if (forecast_due) begin
            if (counted && !leave) current <= raw;
            forecast_bp100 <= !counted ? 32'sd0 : leave ? current : raw;
        end
        if (rst || (begins && first)) current <= 0;
    end
endmodule

`resetall
