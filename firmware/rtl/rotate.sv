// COUNT values moved BY places towards the front; the first come last. Combinational.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module rotate #(
    parameter int COUNT = 4,
    parameter int WIDTH = 8,
    parameter int BY = 1
) (
    input  wire [COUNT*WIDTH-1:0] values,
    output wire [COUNT*WIDTH-1:0] rotated
);
    genvar k;
    generate
        for (k = 0; k < COUNT; k = k + 1) begin : g_value
            assign rotated[k*WIDTH+:WIDTH] = values[((k+BY)%COUNT)*WIDTH+:WIDTH];
        end
    endgenerate
endmodule

`resetall
