// A full adder found by extract_fa as the library's cell, named by `techmap -D`: FA, its inputs A, B, C, its outputs
// TOTAL and CARRY.
(* techmap_celltype = "$fa" *)
module library_full_adder (A, B, C, X, Y);
  parameter WIDTH = 1;  // extract_fa makes no wider ones
  input A, B, C;
  output X, Y;
  `FA adder (.`A(A), .`B(B), .`C(C), .`TOTAL(Y), .`CARRY(X));
endmodule
