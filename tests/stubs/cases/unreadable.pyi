def half(value, {
