// Text of numbers and pieces of messages. Everything is written in blocks of a fixed size: what a block writes beyond its
// text, the next one overwrites, so a buffer needs `text_slack` bytes behind its end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace pyorch {

static_assert(std::endian::native == std::endian::little, "eight digits are a word, the first in its lowest byte");

inline constexpr std::size_t text_block = 32, text_slack = 2 * text_block;

// Multiples of a decimal step: `units` of the last of `places` decimal places.
struct Decimals {
    std::int64_t units = 1;
    int places = 0;
};

// A text that is copied often, kept in whole blocks.
class TextPiece {
   public:
    explicit TextPiece(const std::string& text) : size_(text.size()), blocks_(text) {
        blocks_.resize((text.size() + text_block - 1) / text_block * text_block);
    }
    std::size_t size() const { return size_; }
    char* copy(char* p) const { return copy(p, blocks_.data(), size_); }
    // From a place with so many bytes and what fills up their last block.
    static char* copy(char* p, const char* blocks, std::size_t size) {
        for (std::size_t at = 0; at < size; at += text_block) std::memcpy(p + at, blocks + at, text_block);
        return p + size;
    }

   private:
    std::size_t size_;
    std::string blocks_;
};

inline char* put_text(char* p, const char* s, std::size_t n) {
    std::memcpy(p, s, n);
    return p + n;
}
// A literal.
template <std::size_t N>
inline char* put_text(char* p, const char (&s)[N]) {
    std::memcpy(p, s, N - 1);
    return p + N - 1;
}
inline char* put_text(char* p, const std::string& s) { return put_text(p, s.data(), s.size()); }

// The digits 0 to 9 of a number below 10^8, eight of them, the first in the lowest byte.
inline std::uint64_t eight_digits(std::uint64_t value) {
    const std::uint64_t fours = value / 10'000 | (value % 10'000) << 32;
    const std::uint64_t hundreds = (fours * 10'486 >> 20) & 0x7F'0000'007F;  // each four / 100
    const std::uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    const std::uint64_t tens = (twos * 103 >> 10) & 0x000F'000F'000F'000F;   // each two / 10
    return tens | (twos - tens * 10) << 8;
}
inline constexpr std::uint64_t digit_characters = 0x3030'3030'3030'3030;
inline int leading_zeros_of(std::uint64_t digits) { return std::countr_zero(digits | std::uint64_t{1} << 56) / 8; }
inline char* put_digits(char* p, std::uint64_t digits, int first) {
    const std::uint64_t text = (digits | digit_characters) >> 8 * first;
    std::memcpy(p, &text, sizeof text);
    return p + 8 - first;
}

inline char* put_number(char* p, std::int64_t value) {
    if (value >= 0 && value < 100'000'000) {
        const std::uint64_t digits = eight_digits(static_cast<std::uint64_t>(value));
        return put_digits(p, digits, leading_zeros_of(digits));
    }
    char digits[20];
    int n = 0;
    do {
        digits[n++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0) *p++ = digits[--n];
    return p;
}

inline char* put_padded(char* p, std::int64_t value, int width) {
    for (int i = width - 1; i >= 0; --i, value /= 10) p[i] = static_cast<char>('0' + value % 10);
    return p + width;
}

// At least places + 1 digits, the point before the last `places`.
inline char* put_decimal(char* p, std::int64_t multiple, const Decimals& decimals) {
    std::uint64_t value = static_cast<std::uint64_t>(multiple * decimals.units);
    if (value < 100'000'000 && decimals.places < 8) {
        const std::uint64_t digits = eight_digits(value);
        const int last = 8 - decimals.places, zeros = leading_zeros_of(digits);
        char* const point = put_digits(p, digits, zeros < last ? zeros : last - 1) - decimals.places;
        if (decimals.places == 0) return point;
        *point = '.';
        return put_digits(point + 1, digits, last);
    }
    char digits[24];
    int n = 0;
    do {
        if (n == decimals.places && n > 0) digits[n++] = '.';
        digits[n++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value > 0 || n <= decimals.places);
    while (n > 0) *p++ = digits[--n];
    return p;
}

// Sum of the bytes, modulo 256.
inline std::uint8_t byte_sum(const char* from, const char* to) {
    std::uint8_t sum = 0;
    for (; from != to; ++from) sum = static_cast<std::uint8_t>(sum + static_cast<unsigned char>(*from));
    return sum;
}

}  // namespace pyorch
