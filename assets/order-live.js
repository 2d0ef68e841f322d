// order-live
