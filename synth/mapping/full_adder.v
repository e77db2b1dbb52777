// A full adder, bit by bit, as the library's cell (FA; pins A, B, C; outputs TOTAL, CARRY), for `techmap -D`.
// Adders with a constant input are left: gates are smaller.
(* techmap_celltype = "$fa" *)
module library_full_adder (A, B, C, X, Y);
  parameter WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  parameter _TECHMAP_CONSTMSK_C_ = 0;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  wire _TECHMAP_FAIL_ = 0;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : bit
      `FA adder (.`A(A[i]), .`B(B[i]), .`C(C[i]), .`TOTAL(Y[i]), .`CARRY(X[i]));
    end
  endgenerate
endmodule
