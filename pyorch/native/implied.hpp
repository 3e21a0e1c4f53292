// Implied volatility; pyorch.trading.implied defines it, double for double.
#pragma once

namespace pyorch {

// NaN where no volatility gives the value (a fraction of the forward).
double implied_volatility(double value, double log_moneyness, double ratio, double years, bool put);

}  // namespace pyorch
