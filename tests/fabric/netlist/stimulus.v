// Plays a file of inputs, one line a cycle, and prints the outputs before each edge.
`timescale 1ns / 1ps
module stimulus;
    reg clk = 0;
    reg [127:0] in = 0;
    wire [255:0] out;
    cells_bench bench (.clk(clk), .in(in), .out(out));
    reg [127:0] lines[0:`CYCLES-1];
    integer k;
    initial begin
        $readmemh("stimulus.hex", lines);
        for (k = 0; k < `CYCLES; k = k + 1) begin
            in = lines[k];
            #4 $display("%h", out);
            #1 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
