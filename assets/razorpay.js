// razorpay
