// DP16KD, the block RAM of an ECP5 with two ports: 1024 words of 18 bits, each port 1, 2, 4, 9 or 18 bits wide.
//
// Our own model of what Lattice FPGA-TN-02204 ("ECP5 and ECP5-5G Memory Usage Guide") says of true dual-port RAM; the
// simulation library that Yosys carries has only the ports of this cell. A read gives the word before the edge
// (READBEFOREWRITE), the written one (WRITETHROUGH) or nothing new (NORMAL) while its own port writes. What a port reads
// while the other one writes the same word is not defined: here it is inverted, so that a design that relies on it
// is found out. With 36 bits, port A writes both its own data (the lower half) and B's, and B reads the lower half at A's
// outputs and the upper one at its own. Narrow ports leave the ninth bit of a byte alone. GSR is not modelled: every bitstream here
// switches it off.
`resetall
`timescale 1ns / 1ps

module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
        DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2,
        DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
        DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2,
        DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    parameter WID = 0, GSR = "ENABLED", INIT_DATA = "STATIC";
    parameter [319:0] INITVAL_00 = 320'd0, INITVAL_01 = 320'd0, INITVAL_02 = 320'd0, INITVAL_03 = 320'd0;
    parameter [319:0] INITVAL_04 = 320'd0, INITVAL_05 = 320'd0, INITVAL_06 = 320'd0, INITVAL_07 = 320'd0;
    parameter [319:0] INITVAL_08 = 320'd0, INITVAL_09 = 320'd0, INITVAL_0A = 320'd0, INITVAL_0B = 320'd0;
    parameter [319:0] INITVAL_0C = 320'd0, INITVAL_0D = 320'd0, INITVAL_0E = 320'd0, INITVAL_0F = 320'd0;
    parameter [319:0] INITVAL_10 = 320'd0, INITVAL_11 = 320'd0, INITVAL_12 = 320'd0, INITVAL_13 = 320'd0;
    parameter [319:0] INITVAL_14 = 320'd0, INITVAL_15 = 320'd0, INITVAL_16 = 320'd0, INITVAL_17 = 320'd0;
    parameter [319:0] INITVAL_18 = 320'd0, INITVAL_19 = 320'd0, INITVAL_1A = 320'd0, INITVAL_1B = 320'd0;
    parameter [319:0] INITVAL_1C = 320'd0, INITVAL_1D = 320'd0, INITVAL_1E = 320'd0, INITVAL_1F = 320'd0;
    parameter [319:0] INITVAL_20 = 320'd0, INITVAL_21 = 320'd0, INITVAL_22 = 320'd0, INITVAL_23 = 320'd0;
    parameter [319:0] INITVAL_24 = 320'd0, INITVAL_25 = 320'd0, INITVAL_26 = 320'd0, INITVAL_27 = 320'd0;
    parameter [319:0] INITVAL_28 = 320'd0, INITVAL_29 = 320'd0, INITVAL_2A = 320'd0, INITVAL_2B = 320'd0;
    parameter [319:0] INITVAL_2C = 320'd0, INITVAL_2D = 320'd0, INITVAL_2E = 320'd0, INITVAL_2F = 320'd0;
    parameter [319:0] INITVAL_30 = 320'd0, INITVAL_31 = 320'd0, INITVAL_32 = 320'd0, INITVAL_33 = 320'd0;
    parameter [319:0] INITVAL_34 = 320'd0, INITVAL_35 = 320'd0, INITVAL_36 = 320'd0, INITVAL_37 = 320'd0;
    parameter [319:0] INITVAL_38 = 320'd0, INITVAL_39 = 320'd0, INITVAL_3A = 320'd0, INITVAL_3B = 320'd0;
    parameter [319:0] INITVAL_3C = 320'd0, INITVAL_3D = 320'd0, INITVAL_3E = 320'd0, INITVAL_3F = 320'd0;
    localparam [20479:0] CONTENTS = {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A,
        INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31,
        INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F,
        INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
        INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D,
        INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
        INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};

    initial begin
        if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $fatal(1, "DP16KD: inverted clocks are not modelled");
        if (DATA_WIDTH_B == 36 && DATA_WIDTH_A != 36) $fatal(1, "DP16KD: 36 bits at port B alone are not modelled");
        if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $fatal(1, "DP16KD: CSDECODE other than 0b000 is not modelled");
    end

    reg [17:0] memory[0:1023];
    integer k;
    initial for (k = 0; k < 1024; k = k + 1) memory[k] = CONTENTS[20*k+:18];

    wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [13:0] place_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] place_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire on_a = CEA && {CSA2, CSA1, CSA0} == 0;
    wire on_b = CEB && {CSB2, CSB1, CSB0} == 0;
    wire write_a = on_a && WEA;
    wire write_b = on_b && WEB;

    // which bits of two words, even and odd, a port of this width writes
    function [35:0] touched(input [13:0] place, input integer width);
        integer k;
        begin
            touched = 0;
            if (width == 36) for (k = 0; k < 36; k = k + 1) touched[k] = place[k/9];
            else if (width == 18) for (k = 0; k < 18; k = k + 1) touched[18*place[4]+k] = place[k/9];
            else touched[18*place[4]+9*place[3]+:9] = width == 9 ? 9'h1FF : merged(0, 18'h3FFFF, {11'd0, place[2:0]}, width);
        end
    endfunction
    wire pair = place_a[13:5] == place_b[13:5];
    wire [35:0] by_a = write_a && pair ? touched(place_a, DATA_WIDTH_A) : 36'd0;
    wire [35:0] by_b = write_b && pair ? touched(place_b, DATA_WIDTH_B) : 36'd0;

    // the word with what a port of this width writes
    function [17:0] merged(input [17:0] old, input [17:0] data, input [13:0] place, input integer width);
        begin
            merged = old;
            case (width)
                18: begin
                    if (place[0]) merged[8:0] = data[8:0];
                    if (place[1]) merged[17:9] = data[17:9];
                end
                9: merged[9*place[3]+:9] = data[8:0];
                4: merged[9*place[3]+4*place[2]+:4] = data[3:0];
                2: merged[9*place[3]+2*place[2:1]+:2] = data[1:0];
                default: merged[9*place[3]+place[2:0]] = data[0];
            endcase
        end
    endfunction
    // what a port of this width reads from a word
    function [17:0] part(input [17:0] word, input [13:0] place, input integer width);
        case (width)
            18, 36: part = word;
            9: part = word[9*place[3]+:9];
            4: part = word[9*place[3]+4*place[2]+:4];
            2: part = word[9*place[3]+2*place[2:1]+:2];
            default: part = word[9*place[3]+place[2:0]];
        endcase
    endfunction

    wire [17:0] even = memory[{place_a[13:5], 1'b0}];
    wire [17:0] odd = memory[{place_a[13:5], 1'b1}];

    // port A
    wire [17:0] word_a = memory[place_a[13:4]];
    wire [17:0] seen_a = word_a ^ (place_a[4] ? by_b[35:18] : by_b[17:0]);
    wire [17:0] new_a = merged(word_a, data_a, place_a, DATA_WIDTH_A);
    reg [17:0] read_a = 0, held_a = 0;
    always @(posedge RSTA) if (RESETMODE != "SYNC") $fatal(1, "DP16KD: an asynchronous reset is not modelled");
    always @(posedge CLKA) begin
        if (write_a && DATA_WIDTH_A == 36) begin
            memory[{place_a[13:5], 1'b0}] <= merged(even, data_a, place_a[1:0], 18);
            memory[{place_a[13:5], 1'b1}] <= merged(odd, data_b, place_a[3:2], 18);
        end else if (write_a) memory[place_a[13:4]] <= new_a;
        if (RSTA) read_a <= 0;
        else if (on_a) begin
            if (!WEA || WRITEMODE_A == "READBEFOREWRITE") read_a <= part(seen_a, place_a, DATA_WIDTH_A);
            else if (WRITEMODE_A == "WRITETHROUGH") read_a <= part(new_a, place_a, DATA_WIDTH_A);
        end
        if (RSTA) held_a <= 0;
        else if (OCEA) held_a <= read_a;
    end
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
        DATA_WIDTH_B == 36 ? (REGMODE_B == "OUTREG" ? held_other : read_other) : REGMODE_A == "OUTREG" ? held_a : read_a;

    // port B
    wire [17:0] word_b = memory[DATA_WIDTH_B == 36 ? {place_b[13:5], 1'b1} : place_b[13:4]];
    wire [17:0] lower = memory[{place_b[13:5], 1'b0}];
    reg [17:0] read_other = 0, held_other = 0;
    wire [17:0] seen_b = word_b ^ (place_b[4] || DATA_WIDTH_B == 36 ? by_a[35:18] : by_a[17:0]);
    wire [17:0] new_b = merged(word_b, data_b, place_b, DATA_WIDTH_B);
    reg [17:0] read_b = 0, held_b = 0;
    always @(posedge RSTB) if (RESETMODE != "SYNC") $fatal(1, "DP16KD: an asynchronous reset is not modelled");
    always @(posedge CLKB) begin
        if (write_b) memory[place_b[13:4]] <= new_b;
        if (RSTB) read_b <= 0;
        else if (on_b) begin
            if (!WEB || WRITEMODE_B == "READBEFOREWRITE") read_b <= part(seen_b, place_b, DATA_WIDTH_B);
            else if (WRITEMODE_B == "WRITETHROUGH") read_b <= part(new_b, place_b, DATA_WIDTH_B);
        end
        if (RSTB) held_b <= 0;
        else if (OCEB) held_b <= read_b;
        if (RSTB) read_other <= 0;
        else if (on_b) read_other <= lower ^ by_a[17:0];
        if (RSTB) held_other <= 0;
        else if (OCEB) held_other <= read_other;
    end
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? held_b : read_b;
endmodule

`resetall
