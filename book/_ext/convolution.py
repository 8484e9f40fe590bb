"""A convolution in WebAssembly, four places by eight filters at a time: what makes the page's arithmetic quick.

A browser multiplies four float32 numbers with one instruction if the code is WebAssembly; JavaScript has no words for
it. The code is written by this template, because 32 sums in 8 registers look all the same, and assembled by wasmtime.
"""

from wasmtime import wat2wasm

PLACES, VECTORS = 4, 2  # eight sums of four numbers: they stay in registers
MEMORY = 256  # pages of 64 kB


def write_convolution() -> str:
    """Write the module as WebAssembly text.

    It exports its memory and `convolve(x, width, height, channels, window, kernel, bias, filters, out)`. All arrays are
    float32 and given by their first byte: x is (height, width, channels), kernel (window, window, channels, filters),
    out (height - window + 1, width - window + 1, filters). There are at least four places in a row of `out`, and the
    filters are a multiple of eight.
    """
    sums = [(place, vector) for place in range(PLACES) for vector in range(VECTORS)]
    each_place, each_vector = range(PLACES), range(VECTORS)
    lines = "\n".join
    return f"""(module
  (memory (export "memory") {MEMORY})
  (func (export "convolve") (param $x i32) (param $width i32) (param $height i32) (param $channels i32)
      (param $window i32) (param $kernel i32) (param $bias i32) (param $filters i32) (param $out i32)
    (local $row i32) (local $column i32) (local $first i32) (local $filter i32) (local $line i32)
    (local $rows i32) (local $columns i32) (local $in i32) (local $end i32) (local $weights i32) (local $to i32)
    (local $next i32) (local $stride i32) (local $depth i32)
    {lines(f"(local $sum_{p}_{v} v128)" for p, v in sums)}
    {lines(f"(local $weight_{v} v128)" for v in each_vector)} (local $value v128)
    (local.set $rows (i32.sub (local.get $height) (i32.sub (local.get $window) (i32.const 1))))
    (local.set $columns (i32.sub (local.get $width) (i32.sub (local.get $window) (i32.const 1))))
    (local.set $next (i32.mul (local.get $channels) (i32.const 4)))
    (local.set $stride (i32.mul (local.get $next) (local.get $width)))
    (local.set $depth (i32.mul (local.get $filters) (i32.const 4)))
    (loop $over_filters
      (local.set $row (i32.const 0))
      (loop $over_rows
        (local.set $column (i32.const 0))
        (loop $over_columns
          ;; The last block of a row ends with the row, so it may do some places again.
          (local.set $first (select (local.get $column) (i32.sub (local.get $columns) (i32.const {PLACES}))
            (i32.le_s (local.get $column) (i32.sub (local.get $columns) (i32.const {PLACES})))))
          {
        lines(
            f"(local.set $sum_{p}_{v} (v128.load offset={16 * v} (i32.add (local.get $bias) "
            "(i32.mul (local.get $filter) (i32.const 4)))))"
            for p, v in sums
        )
    }
          (local.set $weights (i32.add (local.get $kernel) (i32.mul (local.get $filter) (i32.const 4))))
          (local.set $line (i32.const 0))
          (loop $over_lines
            (local.set $in (i32.add (local.get $x) (i32.add
              (i32.mul (i32.add (local.get $row) (local.get $line)) (local.get $stride))
              (i32.mul (local.get $first) (local.get $next)))))
            (local.set $end (i32.add (local.get $in) (i32.mul (local.get $window) (local.get $next))))
            (loop $over_values
              {lines(f"(local.set $weight_{v} (v128.load offset={16 * v} (local.get $weights)))" for v in each_vector)}
              (local.set $to (local.get $in))
              {lines(multiply(p) for p in each_place)}
              (local.set $weights (i32.add (local.get $weights) (local.get $depth)))
              (local.set $in (i32.add (local.get $in) (i32.const 4)))
              (br_if $over_values (i32.lt_u (local.get $in) (local.get $end))))
            (local.set $line (i32.add (local.get $line) (i32.const 1)))
            (br_if $over_lines (i32.lt_s (local.get $line) (local.get $window))))
          (local.set $to (i32.add (local.get $out) (i32.add (i32.mul (local.get $filter) (i32.const 4)) (i32.mul
            (local.get $depth) (i32.add (i32.mul (local.get $row) (local.get $columns)) (local.get $first))))))
          {lines(store(p) for p in each_place)}
          (local.set $column (i32.add (local.get $column) (i32.const {PLACES})))
          (br_if $over_columns (i32.lt_s (local.get $column) (local.get $columns))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $over_rows (i32.lt_s (local.get $row) (local.get $rows))))
      (local.set $filter (i32.add (local.get $filter) (i32.const {4 * VECTORS})))
      (br_if $over_filters (i32.lt_s (local.get $filter) (local.get $filters))))))"""


def multiply(place):
    products = "\n".join(
        f"(local.set $sum_{place}_{v} (f32x4.add (local.get $sum_{place}_{v}) "
        f"(f32x4.mul (local.get $value) (local.get $weight_{v}))))"
        for v in range(VECTORS)
    )
    return f"""(local.set $value (v128.load32_splat (local.get $to)))
      {products}
      (local.set $to (i32.add (local.get $to) (local.get $next)))"""


def store(place):
    stores = "\n".join(
        f"(v128.store offset={16 * v} (local.get $to) (local.get $sum_{place}_{v}))" for v in range(VECTORS)
    )
    return f"{stores}\n(local.set $to (i32.add (local.get $to) (local.get $depth)))"


def assemble_convolution() -> bytes:
    """Give the module's bytes, which a browser compiles.

    >>> assemble_convolution()[:4]
    b'\\x00asm'
    """
    return bytes(wat2wasm(write_convolution()))
